/**
 * Further charts beside this one, each a frame with this page in it: same settings, one cross, one stretch of time.
 *
 * The page in the middle passes on what happens in one frame to the others. Pages of other origins are not listened to.
 */
import { addressOf, viewFromAddress } from '../state/address.ts';
import { chartsBeside, type TimeSpan, type View } from '../state/view.ts';
import { byId, element } from '../ui/dom.ts';

type Message = { liqheat: 'view'; query: string } | { liqheat: 'cross'; time: number | null } | { liqheat: 'span'; span: TimeSpan | null };

export interface LinkedEvents {
    view(): View;
    /** Settings of the page that holds this frame. */
    follow(view: View): void;
    cross(time: number | null): void;
    span(span: TimeSpan | null): void;
    remove(symbol: string): void;
}

/** What frames share with the page that holds them: all but what makes a chart its own. Its replay moves theirs. */
function sharedOf(view: View, symbol: string): View {
    return { ...view, symbol, charts: [], panel: 'none', playing: false, embedded: true };
}

export class Linked {
    readonly #host = byId('charts', HTMLElement);
    readonly #events: LinkedEvents;
    readonly #frames = new Map<string, { box: HTMLElement; frame: HTMLIFrameElement }>();

    constructor(events: LinkedEvents) {
        this.#events = events;
        window.addEventListener('message', ({ origin, source, data }: MessageEvent<Message | null>) => {
            if (origin !== location.origin || typeof data?.liqheat !== 'string') return;
            if (source !== null && source !== window) this.#heard(data, source);
        });
    }

    /** Shows frames for exactly the charts of the view, and tells them its settings. */
    show(view: View): void {
        const wanted = chartsBeside(view);
        document.documentElement.dataset.charts = String(wanted.length);
        for (const [symbol, { box }] of this.#frames) {
            if (wanted.includes(symbol)) continue;
            box.remove();
            this.#frames.delete(symbol);
        }
        this.#host.hidden = wanted.length === 0;
        for (const symbol of wanted) {
            const known = this.#frames.get(symbol);
            if (known === undefined) this.#add(symbol, view);
            else send(known.frame.contentWindow, { liqheat: 'view', query: addressOf(sharedOf(view, symbol)) });
        }
    }

    /** The cross of this chart moved; null when it left. */
    cross(time: number | null): void {
        this.#tell({ liqheat: 'cross', time });
    }

    /** A person moved this chart. */
    span(span: TimeSpan | null): void {
        this.#tell({ liqheat: 'span', span });
    }

    #add(symbol: string, view: View): void {
        const frame = element('iframe', { title: `Chart of ${symbol}`, src: addressOf(sharedOf(view, symbol)) });
        const close = element('button', { type: 'button', className: 'chart-close', textContent: '×', title: `Close ${symbol}` });
        close.setAttribute('aria-label', `Close the chart of ${symbol}`);
        close.addEventListener('click', () => this.#events.remove(symbol));
        const box = element('div', { className: 'linked' }, frame, close);
        this.#frames.set(symbol, { box, frame });
        this.#host.append(box);
    }

    #tell(message: Message, except: MessageEventSource | null = null): void {
        for (const { frame } of this.#frames.values()) if (frame.contentWindow !== except) send(frame.contentWindow, message);
        // In a frame, the page that holds it passes on to the others.
        if (this.#events.view().embedded && window.parent !== window && window.parent !== except) send(window.parent, message);
    }

    #heard(message: Message, source: MessageEventSource): void {
        const isFrame = [...this.#frames.values()].some(({ frame }) => frame.contentWindow === source);
        if (!isFrame && (source !== window.parent || !this.#events.view().embedded)) return;
        if (message.liqheat === 'view') {
            if (!isFrame) this.#events.follow(viewFromAddress(message.query));
            return;
        }
        if (message.liqheat === 'cross') this.#events.cross(message.time);
        else this.#events.span(message.span);
        if (isFrame) this.#tell(message, source);
    }
}

/** A page of another origin that holds this one hears nothing. */
function send(target: Window | null, message: Message): void {
    target?.postMessage(message, location.origin);
}
