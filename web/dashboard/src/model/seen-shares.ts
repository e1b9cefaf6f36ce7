/**
 * Which part of the open positions the model saw being opened, over time. The rest it assumes: a model that has only just begun
 * to look knows how much is open, not at which prices.
 *
 * Answers of the server say the share at one moment each. Between two of them the assumed part is taken to shrink evenly, by the
 * same factor in the same time, because positions of all ages are closed. Where the data begins all of it is assumed, and where
 * it begins anew after a hole that the model does not bridge.
 */
import type { Stretch } from './tile-plan.ts';

interface Known {
    time: number;
    /** 0..1. */
    assumed: number;
}

/** Longest hole in the data that the model bridges, milliseconds; after a longer one it begins anew. */
const BRIDGED_MS = 6 * 3_600_000;
/** A share of nothing has no logarithm; less than this cannot be seen. */
const ASSUMED_MIN = 1e-3;
const KNOWN_MAX = 400;

export class SeenShares {
    /** When the model began, and began anew, ascending. */
    #begins: number[] = [];
    #known: Known[] = [];
    /** Stretches without data, in which nothing is assumed either. */
    #holes: Stretch[] = [];
    /** Changes whenever answers of `assumedAt` may. */
    version = 0;

    /** Another symbol, or one whose past has changed. `first`: where its data begins; null where that is not known. */
    reset(first: number | null): void {
        this.#begins = first === null ? [] : [first];
        this.#known = [];
        this.#holes = [];
        this.version += 1;
    }

    /** A stretch of time without data. */
    hole({ from, to }: Stretch): void {
        if (to - from <= BRIDGED_MS || this.#begins.includes(to)) return;
        this.#begins = [...this.#begins, to].sort((a, b) => a - b);
        this.#holes.push({ from: from + BRIDGED_MS, to });
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
        if (this.#holes.some(({ from, to }) => time > from && time < to)) return 0;
        const begin = this.#begins.findLast((each) => each <= time) ?? this.#begins[0] ?? -Infinity;
        const end = this.#begins.find((each) => each > Math.max(time, begin)) ?? Infinity;
        const known = this.#known.filter((each) => each.time > begin && each.time < end);
        if (known.length === 0) return 0;
        const next = known.findIndex((each) => each.time >= time);
        const later = known[next];
        if (later === undefined) return known.at(-1)?.assumed ?? 0;
        const earlier = known[next - 1] ?? (begin === -Infinity ? later : { time: begin, assumed: 1 });
        if (time <= earlier.time) return earlier.assumed;
        const way = (time - earlier.time) / (later.time - earlier.time);
        const log = (assumed: number): number => Math.log(Math.max(ASSUMED_MIN, assumed));
        return Math.exp(log(earlier.assumed) * (1 - way) + log(later.assumed) * way);
    }
}
