/**
 * How long to wait before trying again: full jitter under a ceiling that doubles from `firstMs` to `lastMs`.
 *
 * Full jitter (anywhere between nothing and the ceiling) spreads the clients of a restarted server over the whole window
 * instead of having them come back in step. It is reset only by a frame that really arrived, never by a connection that
 * merely opened: a server that accepts and then drops must not be hammered.
 */
export class Backoff {
    readonly #firstMs: number;
    readonly #lastMs: number;
    readonly #random: () => number;
    #failures = 0;

    constructor(firstMs: number, lastMs: number, random: () => number) {
        if (!(firstMs > 0 && lastMs >= firstMs)) {
            throw new RangeError(`backoff must have 0 < first <= last, got ${firstMs} and ${lastMs} ms`);
        }
        this.#firstMs = firstMs;
        this.#lastMs = lastMs;
        this.#random = random;
    }

    /** Failures in a row since data last arrived. */
    failures(): number {
        return this.#failures;
    }

    /** Counts a failure and says how many milliseconds to wait after it. */
    next(): number {
        const ceiling = Math.min(this.#lastMs, this.#firstMs * 2 ** this.#failures);
        this.#failures += 1;
        return Math.round(this.#random() * ceiling);
    }

    reset(): void {
        this.#failures = 0;
    }
}
