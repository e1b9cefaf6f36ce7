/** Asks for the first picture, and starts the page as soon as its code is there. */
import './style.css';
import { askEarly } from './app/early-picture.ts';
import { keepOffline } from './app/offline.ts';
import { barsMaxIn } from './model/room.ts';
import { chartsBeside } from './state/view.ts';
import { browserPlace, firstView } from './state/view-store.ts';
import { EarlyAnswers } from './transport/early.ts';
import { byId } from './ui/dom.ts';

const code = import('./app/app.ts');
const early = globalThis as { liqheatSymbols?: Promise<Response | null> };
const answers = new EarlyAnswers(new URL('.', document.baseURI), early.liqheatSymbols);
const view = firstView(browserPlace());
// Further charts take a part of the room.
document.documentElement.dataset.charts = String(chartsBeside(view).length);
// What fails here is asked for again, by those who say why it failed.
askEarly(answers, view, barsMaxIn(byId('chart', HTMLElement).clientWidth)).catch(() => {});

code.then(
    ({ App }) => {
        new App(answers, {
            settled: () => {
                // The server of `npm run dev` has no service worker.
                if (import.meta.env.PROD) keepOffline();
            },
        }).start();
    },
    () => {
        const notice = byId('notice', HTMLElement);
        notice.textContent = 'The page could not be loaded from the server. Reload it to try again.';
        notice.hidden = false;
    },
);
