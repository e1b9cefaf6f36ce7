/** Polling while the socket does not work: whether it runs, what it asks for, and what its answers mean. */
import type { Environment } from '../transport/environment.ts';
import { Poller, type PollItem, pollAddress } from '../transport/polling.ts';
import type { StatusMachine } from './status.ts';
import type { Subscriptions } from './subscriptions.ts';

const DEFAULT_POLL_MS = 5_000;

/** What the connection does for it. */
export interface FallbackHost {
    /** The token to ask with; empty for none. */
    token(): Promise<string>;
    /** A state as text. */
    took(text: string): void;
    /** When the next socket is tried. */
    retryAt(): number | null;
}

export interface FallbackPlace {
    socketUrl: string;
    /** Derived from the socket's by default; `false` for no polling at all. */
    pollUrl: string | false | undefined;
}

export class PollingFallback {
    readonly #world: Environment;
    readonly #status: StatusMachine;
    readonly #subscriptions: Subscriptions;
    readonly #host: FallbackHost;
    readonly #socketUrl: string;
    readonly #poller: Poller | null;
    #isOffered = true;
    #isRunning = false;

    constructor(world: Environment, status: StatusMachine, subscriptions: Subscriptions, place: FallbackPlace, host: FallbackHost) {
        this.#world = world;
        this.#status = status;
        this.#subscriptions = subscriptions;
        this.#host = host;
        this.#socketUrl = place.socketUrl;
        this.#poller = this.#makePoller(place);
    }

    isRunning(): boolean {
        return this.#isRunning;
    }

    /** The application connects: the server may offer by now what it did not before. */
    connectionBegins(): void {
        this.#isOffered = true;
    }

    start(): void {
        if (this.#isRunning || !this.#isOffered || this.#poller === null) return;
        this.#isRunning = true;
        this.follow();
    }

    stop(): void {
        this.#isRunning = false;
        this.#poller?.stop();
    }

    /** Polls what is subscribed now, if it runs. */
    follow(): void {
        if (!this.#isRunning) return;
        const items = this.#subscriptions.heatmaps().map(([symbol, { updateInterval, bin, priceRange, view, horizon }]): PollItem => {
            return {
                symbol,
                intervalMs: updateInterval === undefined ? DEFAULT_POLL_MS : updateInterval * 1000,
                query: {
                    ...(bin === undefined ? {} : { bin: String(bin) }),
                    ...(view === undefined ? {} : { view }),
                    ...(horizon === undefined ? {} : { horizon }),
                    ...(priceRange === undefined ? {} : { price_low: String(priceRange[0]), price_high: String(priceRange[1]) }),
                },
            };
        });
        this.#poller?.follow(items);
    }

    /**
     * Whether the server says that sockets are switched off. A browser hides why a handshake failed; the same address over plain
     * HTTP says 503.
     */
    async isSocketOff(): Promise<boolean> {
        if (this.#poller === null) return false;
        try {
            const url = this.#socketUrl.replace(/^ws/, 'http');
            const { status } = await this.#world.get(url, {}, new AbortController().signal);
            return status === 503;
        } catch {
            // No answer at all: the ordinary way of three failures decides.
            return false;
        }
    }

    #makePoller({ socketUrl, pollUrl }: FallbackPlace): Poller | null {
        if (pollUrl === false) return null;
        let url: string;
        try {
            url = pollUrl ?? pollAddress(socketUrl);
        } catch {
            return null;
        }
        return new Poller(url, this.#world, {
            headers: async (): Promise<Record<string, string>> => {
                const token = await this.#host.token();
                return token === '' ? {} : { authorization: `Bearer ${token}` };
            },
            position: (symbol) => this.#subscriptions.position(symbol),
            heard: (symbol, text) => this.#heard(symbol, text),
            failed: (why) => this.#failed(why),
            notOffered: () => {
                this.#isOffered = false;
                this.stop();
                this.#failed('polling is not offered by this server');
            },
        });
    }

    #heard(symbol: string, text: string | null): void {
        if (this.#status.is('connecting', 'disconnected')) {
            this.#status.move('polling', 'polling_answers', 'the socket does not work; asking every few seconds instead');
        }
        this.#subscriptions.heard(symbol, this.#world.now());
        if (text !== null) this.#host.took(text);
    }

    #failed(why: string): void {
        if (this.#status.is('polling')) this.#status.move('disconnected', 'polling_failed', why, this.#host.retryAt());
    }
}
