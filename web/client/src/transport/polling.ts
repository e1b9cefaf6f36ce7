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

/** A symbol that is polled. Another one takes its place with every request, so that a late answer is known by it. */
interface Followed {
    item: PollItem;
    cancel: () => void;
}

export class Poller {
    readonly #address: string;
    readonly #world: Environment;
    readonly #handler: PollHandler;
    readonly #followed = new Map<string, Followed>();
    #abort = new AbortController();

    constructor(address: string, world: Environment, handler: PollHandler) {
        this.#address = address;
        this.#world = world;
        this.#handler = handler;
    }

    /** Polls exactly these symbols from now on; new ones, and those of which another part is wanted, at once. */
    follow(items: readonly PollItem[]): void {
        const wanted = new Set(items.map((item) => item.symbol));
        for (const [symbol, { cancel }] of this.#followed) {
            if (wanted.has(symbol)) continue;
            cancel();
            this.#followed.delete(symbol);
        }
        for (const item of items) {
            const followed = this.#followed.get(item.symbol);
            if (followed !== undefined && JSON.stringify(followed.item.query) === JSON.stringify(item.query)) {
                followed.item = item;
                continue;
            }
            followed?.cancel();
            this.#schedule(item, 0);
        }
    }

    stop(): void {
        this.#abort.abort();
        this.#abort = new AbortController();
        this.follow([]);
    }

    #schedule(item: PollItem, delayMs: number): void {
        const followed: Followed = { item, cancel: this.#world.later(delayMs, () => void this.#ask(followed)) };
        this.#followed.set(item.symbol, followed);
    }

    async #ask(followed: Followed): Promise<void> {
        const { symbol, query } = followed.item;
        const { signal } = this.#abort;
        const url = new URL(this.#address);
        url.searchParams.set('symbol', symbol);
        for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
        const at = this.#handler.position(symbol);
        // No If-None-Match: the tag stands for the levels alone, and a price that moved without them would be hidden.
        if (at !== null) url.searchParams.set('since', `${at.epoch}:${at.seq}`);
        // The symbol is not wanted any more, or was asked for anew: an answer would be of another part of the state.
        const isLate = (): boolean => signal.aborted || this.#followed.get(symbol) !== followed;
        try {
            const answer = await this.#world.get(url.href, { accept: 'application/json', ...(await this.#handler.headers()) }, signal);
            if (isLate()) return;
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
            if (isLate()) return;
            this.#handler.failed(error instanceof Error ? error.message : String(error));
        }
        // The application may have ended it as an answer.
        if (!isLate()) this.#schedule(followed.item, followed.item.intervalMs);
    }
}
