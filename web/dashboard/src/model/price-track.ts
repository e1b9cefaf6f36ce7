/** Prices at times, for distances in the past: the newest price known at a moment, never one from after it. */

export interface TimedPrice {
    time: number;
    price: number;
}

export class PriceTrack {
    /** Ascending. */
    readonly #times: number[] = [];
    readonly #prices: number[] = [];

    /** Adds a price; one that is older than the newest is ignored. */
    add(time: number, price: number): void {
        const newest = this.#times.at(-1) ?? -Infinity;
        if (time < newest) return;
        if (time === newest) {
            this.#prices[this.#prices.length - 1] = price;
            return;
        }
        this.#times.push(time);
        this.#prices.push(price);
    }

    /** The newest price at or before a time; undefined before the first. */
    at(time: number): number | undefined {
        let low = 0;
        let high = this.#times.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if ((this.#times[middle] ?? 0) <= time) low = middle + 1;
            else high = middle;
        }
        return this.#prices[low - 1];
    }
}
