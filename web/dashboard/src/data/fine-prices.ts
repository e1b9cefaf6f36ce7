/** Prices finer than the candles of a picture, for distances in its past; read when somebody points there for the first time. */
import type { Candles } from '../model/candles.ts';
import type { Heat } from '../model/heat.ts';
import { PriceTrack } from '../model/price-track.ts';
import { CANDLES_MAX, columnInterval, intervalMs } from '../model/ranges.ts';
import { marketOf } from '../model/venues.ts';
import type { Api } from '../transport/api.ts';
import type { SymbolInfo } from '../wire/answers.ts';

export class FinePrices {
    readonly #api: Api;
    readonly #changed: () => void;
    /** 'asked' while they are on their way. */
    #track: PriceTrack | 'asked' | null = null;
    #abort = new AbortController();

    constructor(api: Api, changed: () => void) {
        this.#api = api;
        this.#changed = changed;
    }

    /** Another picture is shown. */
    reset(): void {
        this.#abort.abort();
        this.#abort = new AbortController();
        this.#track = null;
    }

    /** A price of now. */
    add(time: number, price: number): void {
        if (this.#track instanceof PriceTrack) this.#track.add(time, price);
    }

    /** The newest price known at a time: of candles no longer than a column where those are there, or of the picture's. */
    at(time: number, info: SymbolInfo, heat: Heat, candles: Candles): number | undefined {
        if (candles.intervalMs > heat.columnMs() && this.#track === null) void this.#fetch(info, heat, candles);
        const fine = this.#track instanceof PriceTrack ? this.#track.at(time) : undefined;
        return fine ?? candles.endedPrice(time);
    }

    async #fetch(info: SymbolInfo, heat: Heat, candles: Candles): Promise<void> {
        const stored = info.interval;
        this.#track = 'asked';
        const start = Math.max(heat.start(), candles.first);
        const end = heat.start() + heat.columns() * heat.columnMs();
        const interval = columnInterval({ id: '', ms: end - start }, stored, heat.columnMs(), CANDLES_MAX - 2);
        if (interval === null) return;
        const { signal } = this.#abort;
        const stepMs = intervalMs(interval);
        try {
            const found = await this.#api.candles({ symbol: marketOf(info), interval, start_time: start, end_time: end }, signal);
            if (signal.aborted) return;
            const track = new PriceTrack();
            for (const candle of found.slice(0, -1)) track.add(candle.time + stepMs, candle.close);
            this.#track = track;
            this.#changed();
        } catch {
            // The candles of the chart answer meanwhile; the next picture asks again.
        }
    }
}
