import './style.css';
import { App } from './ui/app.ts';

new App().start();
