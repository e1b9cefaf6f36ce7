/**
 * The candles under the picture: a gapless run of intervals, so that time maps to bars by one straight line.
 *
 * The chart's time axis counts bars, not seconds. A missing candle therefore keeps its place as an empty bar; otherwise
 * everything left of a gap in the data would be drawn at the wrong time.
 */
import type { Candle } from '../wire/answers.ts';

/** More bars than this are a mistake in the data's times, not a chart. */
const BARS_MAX = 20_000;

export class Candles {
    readonly intervalMs: number;
    readonly first: number;
    readonly #byTime = new Map<number, Candle>();
    readonly #oldest: Candle | undefined;
    #last: number;

    /** `from` and `to`: the time the axis covers at least, milliseconds since 1970. */
    constructor(candles: readonly Candle[], intervalMs: number, from: number, to: number) {
        this.intervalMs = intervalMs;
        this.#oldest = candles[0];
        const times = candles.map((candle) => candle.time);
        this.#last = this.#slot(Math.max(to - 1, ...times.slice(-1)));
        const first = this.#slot(Math.min(from, ...times.slice(0, 1)));
        this.first = Math.max(first, this.#last - BARS_MAX * intervalMs);
        for (const candle of candles) {
            const time = this.#slot(candle.time);
            if (time >= this.first) this.#byTime.set(time, candle);
        }
    }

    last(): number {
        return this.#last;
    }

    at(time: number): Candle | undefined {
        return this.#byTime.get(this.#slot(time));
    }

    /** Every interval in order; without a candle where the data has none. */
    *bars(): Generator<{ time: number; candle: Candle | undefined }> {
        for (let time = this.first; time <= this.#last; time += this.intervalMs) {
            yield { time, candle: this.#byTime.get(time) };
        }
    }

    /** Position of a time on the bar axis: bar n covers n - 0.5 to n + 0.5. */
    logical(time: number): number {
        return (time - this.first) / this.intervalMs - 0.5;
    }

    timeAt(logical: number): number {
        return this.first + (logical + 0.5) * this.intervalMs;
    }

    /** The close of the newest candle that had ended by a time: an older price, but never one from after it. */
    endedPrice(time: number): number | undefined {
        return this.lastPrice(this.#slot(time));
    }

    /** The lowest and highest price between two times, by the candles that overlap them; null where there is none. */
    reach(from: number, to: number): { low: number; high: number } | null {
        let low = Infinity;
        let high = -Infinity;
        for (let time = this.#slot(from); time < to; time += this.intervalMs) {
            const candle = this.#byTime.get(time);
            if (candle === undefined) continue;
            low = Math.min(low, candle.low);
            high = Math.max(high, candle.high);
        }
        return low > high ? null : { low, high };
    }

    /** When the oldest candle begins. */
    firstTime(): number {
        return this.#oldest?.time ?? this.first;
    }

    /** The price the oldest candle begins at. */
    firstOpen(): number | undefined {
        return this.#oldest?.open;
    }

    /** The last traded price known, or the last one known at the end of a candle. */
    lastPrice(until = this.#last + this.intervalMs): number | undefined {
        for (let time = Math.min(this.#last, this.#slot(until - 1)); time >= this.first; time -= this.intervalMs) {
            const candle = this.#byTime.get(time);
            if (candle !== undefined) return candle.close;
        }
        return undefined;
    }

    /** Moves the newest candle to a price seen at a time; answers the bars that changed, oldest first. */
    touch(time: number, price: number): number[] {
        const slot = this.#slot(time);
        if (slot < this.#last) return [];
        const changed: number[] = [];
        while (this.#last < slot) {
            this.#last += this.intervalMs;
            changed.push(this.#last);
        }
        const old = this.#byTime.get(slot);
        if (old === undefined) {
            const open = this.#byTime.get(slot - this.intervalMs)?.close ?? price;
            this.#byTime.set(slot, {
                time: slot,
                open,
                high: Math.max(open, price),
                low: Math.min(open, price),
                close: price,
                volume: 0,
            });
        } else {
            this.#byTime.set(slot, {
                ...old,
                high: Math.max(old.high, price),
                low: Math.min(old.low, price),
                close: price,
            });
        }
        if (changed.at(-1) !== slot) changed.push(slot);
        return changed;
    }

    /** Takes the server's candles where they are at or after the ones here; answers the bars that changed. */
    correct(candles: readonly Candle[]): number[] {
        const changed: number[] = [];
        for (const candle of candles) {
            const slot = this.#slot(candle.time);
            if (slot < this.first || slot > this.#last) continue;
            const old = this.#byTime.get(slot);
            const same =
                old !== undefined &&
                old.open === candle.open &&
                old.high === candle.high &&
                old.low === candle.low &&
                old.close === candle.close;
            if (same) continue;
            // The running candle keeps the close that was pushed: it is newer than the answer.
            const close = slot === this.#last && old !== undefined ? old.close : candle.close;
            this.#byTime.set(slot, {
                ...candle,
                time: slot,
                close,
                high: Math.max(candle.high, close),
                low: Math.min(candle.low, close),
            });
            changed.push(slot);
        }
        return changed;
    }

    #slot(time: number): number {
        return Math.floor(time / this.intervalMs) * this.intervalMs;
    }
}
