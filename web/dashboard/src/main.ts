import './style.css';
import { App } from './app/app.ts';

new App().start();
