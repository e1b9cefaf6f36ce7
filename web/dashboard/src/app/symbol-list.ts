/** The server's list of symbols, read at the start and once a minute; sooner while there is none. */

import { findSymbol, layerOf, partsOf, symbolOf } from '../model/venues.ts';
import { type Api, ApiError, retryMs } from '../transport/api.ts';
import type { SymbolInfo, Symbols } from '../wire/answers.ts';

const RETRY_MS = 3_000;
const REFRESH_MS = 60_000;
/** The list also says when sockets are switched on again. */
const REFRESH_POLLING_MS = 10_000;

export interface SymbolListEvents {
    loaded(symbols: Symbols): void;
    /** The server runs and has nothing. */
    empty(): void;
    /** No list, and none before either. `status`: of the HTTP answer; 0 for none. */
    failed(status: number, why: string): void;
}

export class SymbolList {
    readonly #api: Api;
    readonly #events: SymbolListEvents;
    #symbols: Symbols | null = null;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(api: Api, events: SymbolListEvents) {
        this.#api = api;
        this.#events = events;
    }

    all(): readonly SymbolInfo[] {
        return this.#symbols?.symbols ?? [];
    }

    /** Also one venue of a symbol, `BTCUSDT@okx`, and a layer of measured positions. */
    find(symbol: string): SymbolInfo | undefined {
        return findSymbol(this.all(), symbol, this.#symbols?.layers);
    }

    /** Every symbol and every layer. */
    everything(): SymbolInfo[] {
        return [...this.all(), ...(this.layers() ?? []).flatMap((layer) => this.find(layer) ?? [])];
    }

    /** What of a symbol can be shown by itself: its venues where it has several, and its layers. */
    parts(base: string): SymbolInfo[] {
        const venues = this.find(base)?.venues ?? [];
        const layers = (this.layers() ?? []).filter((layer) => partsOf(layer).base === base);
        const names = [...(venues.length < 2 ? [] : venues.map((venue) => symbolOf(base, venue))), ...layers];
        return names.flatMap((name) => this.find(name) ?? []);
    }

    /** Names of the layers of measured positions; null before the first list. */
    layers(): readonly string[] | null {
        return this.#symbols?.layers.map(({ symbol }) => symbol) ?? null;
    }

    /** Whether there are measured positions of it. */
    isMeasured(symbol: string): boolean {
        return layerOf(this.layers() ?? [], symbol) !== null;
    }

    /** Whether the server accepts sockets. */
    hasSockets(): boolean {
        return this.#symbols?.websocket ?? true;
    }

    /** Market seconds a second. */
    speed(): number {
        return this.#symbols?.speed ?? 1;
    }

    async load(): Promise<void> {
        clearTimeout(this.#timer);
        let again = RETRY_MS;
        try {
            const symbols = await this.#api.symbols(new AbortController().signal);
            this.#symbols = symbols;
            if (symbols.symbols.length === 0) this.#events.empty();
            else {
                again = symbols.websocket ? REFRESH_MS : REFRESH_POLLING_MS;
                this.#events.loaded(symbols);
            }
        } catch (error) {
            if (this.#symbols === null) {
                const [status, why] = error instanceof ApiError ? [error.status, error.message] : [0, String(error)];
                again = retryMs(error, RETRY_MS);
                this.#events.failed(status, why);
            }
        }
        this.#timer = setTimeout(() => void this.load(), again);
    }
}
