/**
 * Prices and walls of many symbols: over a socket of its own while somebody watches, or by asking where the server has no sockets.
 *
 * It is closed while nobody looks, so that a page with one chart costs the server one connection.
 */
import { HeatmapWebSocket } from 'liqheat-client';
import type { Api } from '../transport/api.ts';
import { parseWalls, type ServedWalls } from '../wire/walls.ts';

const POLL_MS = 10_000;
const DAY_MS = 86_400_000;
/** The price of a day before is that of the beginning of an hour; interval of its requests. */
const DAY_BEFORE_MS = 10 * 60_000;

export interface WatchEvents {
    changed(): void;
    price(symbol: string, price: number): void;
}

export class Watch {
    readonly #api: Api;
    readonly #events: WatchEvents;
    #socket: HeatmapWebSocket | null = null;
    #poll: ReturnType<typeof setInterval> | undefined;
    #symbols: readonly string[] = [];
    #abort = new AbortController();
    readonly #walls = new Map<string, ServedWalls>();
    readonly #dayBefore = new Map<string, { price: number | undefined; askedAt: number }>();

    constructor(api: Api, events: WatchEvents) {
        this.#api = api;
        this.#events = events;
    }

    walls(symbol: string): ServedWalls | undefined {
        return this.#walls.get(symbol);
    }

    /** The price 24 hours ago. */
    dayBefore(symbol: string): number | undefined {
        return this.#dayBefore.get(symbol)?.price;
    }

    /** Follows exactly these; none closes everything. `sockets`: whether the server accepts them. */
    follow(symbols: readonly string[], sockets: boolean): void {
        if (symbols.length === 0) {
            if (this.#symbols.length > 0) this.#close();
            return;
        }
        for (const symbol of symbols) void this.#askDayBefore(symbol);
        const isPolling = this.#poll !== undefined;
        if (symbols.join() === this.#symbols.join() && isPolling === !sockets) return;
        const before = this.#symbols;
        this.#symbols = symbols;
        if (sockets) this.#followBySocket(symbols, before);
        else this.#followByAsking();
    }

    #followBySocket(symbols: readonly string[], before: readonly string[]): void {
        clearInterval(this.#poll);
        this.#poll = undefined;
        const isNew = this.#socket === null;
        this.#socket ??= new HeatmapWebSocket(this.#api.socketUrl(), {
            token: () => this.#api.token() ?? '',
            pollUrl: false,
            onWalls: ({ data }) => this.#took(data),
        });
        const gone = before.filter((symbol) => !symbols.includes(symbol));
        if (!isNew && gone.length > 0) this.#socket.unsubscribe(gone);
        const added = isNew ? symbols : symbols.filter((symbol) => !before.includes(symbol));
        if (added.length > 0) this.#socket.subscribe(added, { channels: ['walls'] });
        if (isNew) this.#socket.connect();
    }

    #followByAsking(): void {
        this.#socket?.disconnect();
        this.#socket = null;
        clearInterval(this.#poll);
        this.#poll = setInterval(() => void this.#askAll(), POLL_MS);
        void this.#askAll();
    }

    /** One after the other, so that a long list does not take the server's places. */
    async #askAll(): Promise<void> {
        const { signal } = this.#abort;
        for (const symbol of this.#symbols) {
            try {
                const walls = await this.#api.walls({ symbol }, signal);
                if (signal.aborted) return;
                this.#keep(walls);
            } catch {
                // The next round asks again; the row shows what was known.
                if (signal.aborted) return;
            }
        }
    }

    #took(data: unknown): void {
        try {
            this.#keep(parseWalls(data));
        } catch {
            // What is not understood is not shown.
        }
    }

    #keep(walls: ServedWalls): void {
        this.#walls.set(walls.symbol, walls);
        this.#events.price(walls.symbol, walls.price);
        this.#events.changed();
    }

    async #askDayBefore(symbol: string): Promise<void> {
        const known = this.#dayBefore.get(symbol);
        if (known !== undefined && Date.now() - known.askedAt < DAY_BEFORE_MS) return;
        this.#dayBefore.set(symbol, { price: known?.price, askedAt: Date.now() });
        try {
            const candles = await this.#api.candles({ symbol, interval: '1h', limit: 25 }, this.#abort.signal);
            const [first] = candles;
            const last = candles.at(-1);
            // With holes in it the 25th candle is older than a day.
            const isDay = first !== undefined && last !== undefined && last.time - first.time <= DAY_MS + 3_600_000;
            this.#dayBefore.set(symbol, { price: isDay ? first.open : undefined, askedAt: Date.now() });
            this.#events.changed();
        } catch {
            // The row has no change until the next time.
        }
    }

    #close(): void {
        this.#abort.abort();
        this.#abort = new AbortController();
        this.#socket?.disconnect();
        this.#socket = null;
        clearInterval(this.#poll);
        this.#poll = undefined;
        this.#symbols = [];
    }
}
