import './style.css';
import { App } from './app/app.ts';

new App({ settled: () => {} }).start();
