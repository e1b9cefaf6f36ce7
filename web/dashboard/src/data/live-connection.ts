/**
 * The live states of one symbol. Its code is a tenth of the page's and is loaded when the first picture is there, which it would
 * delay over a slow line.
 */
import type { HeatmapOptions, HeatmapWebSocket, StatusChange, SubscribeOptions } from 'liqheat-client';

/** A connection to the last server that can be reached, for a page whose code cannot be. */
const RETRY_MS = 3_000;

const BEGUN = { previous: 'disconnected', retryAt: null } as const;
const NOT_CONNECTED: StatusChange = { ...BEGUN, status: 'disconnected', reason: 'created', message: 'not connected yet' };
const NOT_LOADED: StatusChange = { ...BEGUN, status: 'connecting', reason: 'asked', message: 'live updates begin after the first picture' };

export class LiveConnection {
    readonly #url: string;
    readonly #options: HeatmapOptions;
    readonly #subscription: SubscribeOptions;
    #client: HeatmapWebSocket | null = null;
    #isLoading = false;
    #isWanted = false;
    #acceptsSockets = true;
    #symbol: string | null = null;

    /** `subscription`: with what a symbol is followed. */
    constructor(url: string, options: HeatmapOptions, subscription: SubscribeOptions) {
        this.#url = url;
        this.#options = options;
        this.#subscription = subscription;
    }

    get status(): StatusChange {
        return this.#client?.status ?? (this.#isWanted ? NOT_LOADED : NOT_CONNECTED);
    }

    /** The newest state of a symbol, and when it came. */
    state(symbol: string): ReturnType<HeatmapWebSocket['state']> {
        return this.#client?.state(symbol);
    }

    /** Connects as soon as the code is there; with `sockets` false only by polling. Called again when that changes. */
    connect(sockets: boolean): void {
        this.#isWanted = true;
        this.#acceptsSockets = sockets;
        this.#client?.useSocket(sockets);
        this.#client?.connect();
    }

    disconnect(): void {
        this.#isWanted = false;
        this.#client?.disconnect();
    }

    /** Follows this symbol in place of the one before. */
    follow(symbol: string): void {
        if (this.#symbol !== null) this.#client?.unsubscribe([this.#symbol]);
        this.#symbol = symbol;
        this.#client?.subscribe([symbol], this.#subscription);
    }

    /** Goes on with another token: in place where the socket is open, and the result is whether it is. */
    renewToken(token: string): boolean {
        if (this.#client === null || this.#client.renewToken(token)) return true;
        this.#client.disconnect();
        this.#client.connect();
        return false;
    }

    /** Loads the code, once. */
    load(): void {
        if (this.#client !== null || this.#isLoading) return;
        this.#isLoading = true;
        import('liqheat-client').then(
            ({ HeatmapWebSocket: Client }) => {
                this.#isLoading = false;
                const client = new Client(this.#url, this.#options);
                this.#client = client;
                client.useSocket(this.#acceptsSockets);
                if (this.#symbol !== null) client.subscribe([this.#symbol], this.#subscription);
                if (this.#isWanted) client.connect();
            },
            () => {
                this.#isLoading = false;
                setTimeout(() => this.load(), RETRY_MS);
            },
        );
    }
}
