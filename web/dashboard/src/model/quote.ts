/** The line beside the symbol: the price, its change over the picture, and the nearest heavy levels on either side. */
import { rowOf } from './rows.ts';

export interface Level {
    price: number;
    long_density: number;
    short_density: number;
}

export interface Cluster {
    /** Middle of the bin. */
    price: number;
    usd: number;
    distance: number;
}

export interface Clusters {
    /** The heaviest bin of longs below the price. */
    long: Cluster | null;
    /** The heaviest bin of shorts above it. */
    short: Cluster | null;
    longUsd: number;
    shortUsd: number;
}

/** Only levels this near can be reached soon enough to matter. */
const REACH_SHARE = 0.1;

export function clusters(levels: readonly Level[], price: number, bin: number): Clusters {
    const sums = new Map<number, { long: number; short: number }>();
    let longUsd = 0;
    let shortUsd = 0;
    for (const level of levels) {
        longUsd += level.long_density;
        shortUsd += level.short_density;
        const index = rowOf({ price_low: 0, bin }, level.price);
        const sum = sums.get(index) ?? { long: 0, short: 0 };
        sum.long += level.long_density;
        sum.short += level.short_density;
        sums.set(index, sum);
    }
    let long: Cluster | null = null;
    let short: Cluster | null = null;
    for (const [index, sum] of sums) {
        const middle = (index + 0.5) * bin;
        const distance = middle / price - 1;
        if (Math.abs(distance) > REACH_SHARE) continue;
        if (distance < 0 && sum.long > (long?.usd ?? 0)) long = { price: middle, usd: sum.long, distance };
        if (distance > 0 && sum.short > (short?.usd ?? 0)) short = { price: middle, usd: sum.short, distance };
    }
    return { long, short, longUsd, shortUsd };
}
