/** What the page says when it cannot show a picture, or when the picture needs a word of caution. */
import type { LoadState } from '../data/range-picture.ts';
import { UNAUTHORISED } from '../transport/api.ts';
import { byId, element } from './dom.ts';

const TOAST_MS = 6_000;

export type Notice =
    | { kind: 'loading'; what: string }
    /** The candles are there, and can be seen. */
    | { kind: 'loading_levels' }
    /** The picture of another range is there meanwhile. */
    | { kind: 'loading_range'; range: string }
    /** What is loaded is later than the moment that is looked back to: none of it may be seen. */
    | { kind: 'loading_past' }
    | { kind: 'no_markets' }
    | { kind: 'no_data'; symbol: string; range: string }
    | { kind: 'no_state'; symbol: string; why: string }
    | { kind: 'no_token' }
    | { kind: 'server_gone' }
    | { kind: 'offline' }
    | { kind: 'failed'; why: string };

const UNAVAILABLE = 503;

/** Why there is no picture of a symbol, or no list of symbols where that is null. `status`: of the HTTP answer; 0 for none. */
export function failureNotice(status: number, why: string, symbol: string | null): Notice {
    switch (status) {
        case 0:
            return { kind: navigator.onLine ? 'server_gone' : 'offline' };
        case UNAUTHORISED:
            return { kind: 'no_token' };
        case UNAVAILABLE:
            return symbol === null ? { kind: 'loading', what: `The server is not ready yet: ${why}` } : { kind: 'no_state', symbol, why };
        default:
            return symbol === null ? { kind: 'server_gone' } : { kind: 'failed', why };
    }
}

interface Words {
    title: string;
    text: string;
    code?: string;
}

/** The words for a picture that is on its way or did not come; `isCovered`: that of another range is on the screen meanwhile. */
export function loadNotice(load: LoadState, symbol: string, range: string, isCovered: boolean): Notice | null {
    // The banner says that the connection is lost, and the page keeps trying.
    const isWaiting = load.kind === 'loading' || (load.kind === 'failed' && load.status === 0);
    if (isCovered && isWaiting) return { kind: 'loading_range', range };
    switch (load.kind) {
        case 'loading':
            return { kind: 'loading', what: `Loading ${range} of ${symbol}` };
        case 'empty':
            return { kind: 'no_data', symbol, range };
        case 'failed':
            return failureNotice(load.status, load.why, symbol);
        default:
            return null;
    }
}

type Waiting = Extract<Notice, { kind: 'loading' | 'loading_levels' | 'loading_range' | 'loading_past' }>;

function isWaiting(notice: Notice): notice is Waiting {
    return notice.kind.startsWith('loading');
}

function waitingFor(notice: Waiting): string {
    switch (notice.kind) {
        case 'loading':
            return notice.what;
        case 'loading_levels':
            return 'Loading the levels';
        case 'loading_range':
            return `Loading ${notice.range}`;
        case 'loading_past':
            return 'Loading the past';
    }
}

function wordsOf(notice: Exclude<Notice, Waiting>): Words {
    switch (notice.kind) {
        case 'no_markets':
            return {
                title: 'No market data yet',
                text: 'The server runs, but its database is empty, and it learns of new symbols only when it starts. Stop it, load some files, and start it again:',
                code: 'liqheat ingest PATH',
            };
        case 'no_data':
            return {
                title: `Nothing to show for ${notice.symbol}`,
                text: `There is no data in the last ${notice.range}. Choose a longer range or another symbol.`,
            };
        case 'no_state':
            return {
                title: `No state of ${notice.symbol} yet`,
                text: `The server answers: ${notice.why}. A market that is followed live has one after a few minutes; the page keeps asking.`,
            };
        case 'no_token':
            return { title: 'A token is needed', text: 'This server shows its data only to those who have a token.' };
        case 'server_gone':
            return {
                title: 'No connection to the server',
                text: 'The page keeps trying and fills as soon as it is back. To start it:',
                code: 'liqheat demo',
            };
        case 'offline':
            return { title: 'No connection to the server', text: 'This device is offline. The page fills as soon as it is back.' };
        case 'failed':
            return { title: 'The picture could not be loaded', text: notice.why };
    }
}

export class Notices {
    readonly #host: HTMLElement;
    readonly #banner: HTMLElement;
    readonly #retry: () => void;
    #shown = '';
    #bannerShown = '';
    #toastTimer: ReturnType<typeof setTimeout> | undefined;
    /** What the note was about that was closed last. */
    #closed: string | null = null;

    constructor(host: HTMLElement, banner: HTMLElement, retry: () => void) {
        this.#host = host;
        this.#banner = banner;
        this.#retry = retry;
    }

    /** One sentence for a few seconds. */
    toast(text: string): void {
        const host = byId('toast', HTMLElement);
        clearTimeout(this.#toastTimer);
        host.textContent = text;
        host.hidden = false;
        this.#toastTimer = setTimeout(() => {
            host.hidden = true;
        }, TOAST_MS);
    }

    show(notice: Notice | null): void {
        const key = JSON.stringify(notice);
        if (key === this.#shown) return;
        this.#shown = key;
        this.#host.hidden = notice === null;
        if (notice === null) return;
        this.#host.dataset.kind = notice.kind;
        if (isWaiting(notice)) {
            this.#host.replaceChildren(element('div', { className: 'spin' }), element('p', { textContent: waitingFor(notice) }));
            return;
        }
        const { title, text, code } = wordsOf(notice);
        const again = element('button', { type: 'button', textContent: notice.kind === 'no_token' ? 'Enter a token' : 'Try now' });
        again.addEventListener('click', this.#retry);
        this.#host.replaceChildren(
            element('h2', { textContent: title }),
            element('p', { textContent: text }),
            ...(code === undefined ? [] : [element('code', { textContent: code })]),
            again,
        );
    }

    /**
     * A strip over the picture; null takes it away. What is only worth knowing can be closed, and stays closed as long as
     * `about` is the same; what is wrong cannot.
     */
    banner(text: string | null, tone: 'plain' | 'bad' = 'bad', about = ''): void {
        const closed = tone === 'plain' && about === this.#closed;
        this.#banner.hidden = text === null || closed;
        const key = `${tone} ${text}`;
        if (text === null || closed || key === this.#bannerShown) return;
        this.#bannerShown = key;
        this.#banner.dataset.tone = tone;
        this.#banner.replaceChildren(element('span', { textContent: text }));
        if (tone !== 'plain') return;
        const close = element('button', { type: 'button', title: 'Close', textContent: '×' });
        close.setAttribute('aria-label', 'Close this note');
        close.addEventListener('click', () => {
            this.#closed = about;
            this.#banner.hidden = true;
        });
        this.#banner.append(close);
    }
}
