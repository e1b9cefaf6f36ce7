/**
 * The same state by asking: `GET /v1/heatmap?symbol&since=epoch:seq`, one symbol after the other, at the subscription's pace.
 *
 * It knows nothing of states: its handler says where the client stands and takes what came back as the text of a frame.
 */
import type { ResumePoint } from '../wire/frames.ts';
import type { Environment } from './environment.ts';

export interface PollItem {
    symbol: string;
    intervalMs: number;
    /** What part of the state is wanted, as parameters of the address. */
    query: Readonly<Record<string, string>>;
}

export interface PollHandler {
    /** What every request carries besides the usual. */
    headers(): Promise<Record<string, string>>;
    position(symbol: string): ResumePoint | null;
    /** A frame came, or (with null) the server says nothing changed. */
    heard(symbol: string, frame: string | null): void;
    failed(why: string): void;
    /** This server has no such endpoint: stop asking. */
    notOffered(): void;
}

/** The HTTP address beside a WebSocket address: `ws://host/ws/heatmap` -> `http://host/v1/heatmap`. */
export function pollAddress(socketUrl: string): string {
    const url = new URL(socketUrl);
    url.protocol = url.protocol === 'wss:' ? 'https:' : 'http:';
    url.pathname = url.pathname.replace(/\/ws\/heatmap\/?$/, '/v1/heatmap');
    url.search = '';
    url.hash = '';
    return url.href;
}

export class Poller {
    readonly #address: string;
    readonly #world: Environment;
    readonly #handler: PollHandler;
    readonly #followed = new Map<string, { item: PollItem; cancel: () => void }>();
    #abort = new AbortController();

    constructor(address: string, world: Environment, handler: PollHandler) {
        this.#address = address;
        this.#world = world;
        this.#handler = handler;
    }

    /** Polls exactly these symbols from now on. */
    follow(items: readonly PollItem[]): void {
        const wanted = new Set(items.map((item) => item.symbol));
        for (const [symbol, { cancel }] of this.#followed) {
            if (wanted.has(symbol)) continue;
            cancel();
            this.#followed.delete(symbol);
        }
        for (const item of items) {
            const followed = this.#followed.get(item.symbol);
            if (followed === undefined) this.#schedule(item, 0);
            else followed.item = item;
        }
    }

    stop(): void {
        this.#abort.abort();
        this.#abort = new AbortController();
        this.follow([]);
    }

    #schedule(item: PollItem, delayMs: number): void {
        const cancel = this.#world.later(delayMs, () => void this.#ask(this.#followed.get(item.symbol)?.item ?? item));
        this.#followed.set(item.symbol, { item, cancel });
    }

    async #ask(item: PollItem): Promise<void> {
        const { symbol } = item;
        const { signal } = this.#abort;
        const url = new URL(this.#address);
        url.searchParams.set('symbol', symbol);
        for (const [name, value] of Object.entries(item.query)) url.searchParams.set(name, value);
        const at = this.#handler.position(symbol);
        // No If-None-Match: the tag stands for the levels alone, and a price that moved without them would be hidden.
        if (at !== null) url.searchParams.set('since', `${at.epoch}:${at.seq}`);
        try {
            const answer = await this.#world.get(url.href, { accept: 'application/json', ...(await this.#handler.headers()) }, signal);
            if (signal.aborted || !this.#followed.has(symbol)) return;
            if (answer.status === 404 || answer.status === 405 || answer.status === 501) {
                this.#handler.notOffered();
                return;
            }
            if (answer.status === 200 || answer.status === 304) {
                this.#handler.heard(symbol, answer.status === 200 ? answer.body : null);
            } else {
                this.#handler.failed(`polling answered ${answer.status}`);
            }
        } catch (error) {
            if (signal.aborted) return;
            this.#handler.failed(error instanceof Error ? error.message : String(error));
        }
        const next = this.#followed.get(symbol)?.item;
        if (!signal.aborted && next !== undefined) this.#schedule(next, next.intervalMs);
    }
}
