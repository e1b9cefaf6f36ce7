import './style.css';
import { App } from './app/app.ts';
import { keepOffline } from './app/offline.ts';

new App({
    settled: () => {
        // The server of `npm run dev` has no service worker.
        if (import.meta.env.PROD) keepOffline();
    },
}).start();
