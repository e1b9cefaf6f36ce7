/**
 * Which part of the open positions the model saw being opened, over time. The rest it assumes: a model that has only just begun
 * to look knows how much is open, not at which prices.
 *
 * Answers of the server say the share at one moment each. Between two of them the assumed part is taken to shrink evenly, by the
 * same factor in the same time, because positions of all ages are closed; where the data begins all of it is assumed.
 */

interface Known {
    time: number;
    /** 0..1. */
    assumed: number;
}

/** A share of nothing has no logarithm; less than this cannot be seen. */
const ASSUMED_MIN = 1e-3;
const KNOWN_MAX = 400;

export class SeenShares {
    #first: number | null = null;
    #known: Known[] = [];
    /** Changes whenever answers of `assumedAt` may. */
    version = 0;

    /** Another symbol, or one whose past has changed. `first`: where its data begins; null where that is not known. */
    reset(first: number | null): void {
        this.#first = first;
        this.#known = [];
        this.version += 1;
    }

    /** Takes what an answer says; `share` is null where it says nothing. */
    add(time: number, share: number | null): void {
        if (share === null || !(share >= 0 && share <= 1)) return;
        const assumed = 1 - share;
        const at = this.#known.findIndex((each) => each.time >= time);
        const there = at < 0 ? undefined : this.#known[at];
        if (there?.time === time) {
            if (there.assumed === assumed) return;
            there.assumed = assumed;
        } else this.#known.splice(at < 0 ? this.#known.length : at, 0, { time, assumed });
        if (this.#known.length > KNOWN_MAX) this.#known.shift();
        this.version += 1;
    }

    /** The assumed part at a time, 0..1; 0 where nothing is known. */
    assumedAt(time: number): number {
        const next = this.#known.findIndex((each) => each.time >= time);
        const later = next < 0 ? undefined : this.#known[next];
        if (later === undefined) return this.#known.at(-1)?.assumed ?? 0;
        const earlier = next > 0 ? this.#known[next - 1] : this.#beginning(later);
        if (earlier === undefined) return later.assumed;
        if (time <= earlier.time) return earlier.assumed;
        const way = (time - earlier.time) / (later.time - earlier.time);
        const log = (assumed: number): number => Math.log(Math.max(ASSUMED_MIN, assumed));
        return Math.exp(log(earlier.assumed) * (1 - way) + log(later.assumed) * way);
    }

    #beginning({ time }: Known): Known | undefined {
        return this.#first === null || this.#first >= time ? undefined : { time: this.#first, assumed: 1 };
    }
}
