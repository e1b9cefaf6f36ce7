/**
 * Walls: neighbouring levels that stand out from what is around them, merged, so that their number and size do not depend on
 * how fine the bins are. Every dollar above the local background belongs to exactly one wall.
 */
import { rowOf } from './rows.ts';

export interface WallLevel {
    price: number;
    long_density: number;
    short_density: number;
}

export interface Wall {
    side: 'long' | 'short';
    /** Lower and upper edge. */
    low: number;
    high: number;
    /** Middle of the heaviest bin. */
    peak: number;
    usd: number;
    /** Of all dollars of its side that were looked at, 0..1. */
    share: number;
    /** From the price to the nearer edge, as a share of the price; negative below it. */
    distance: number;
}

export interface WallOptions {
    /** Only levels this near the price, as a share of it. */
    reach: number;
    bin: number;
}

/** The background of a bin is the mean of the levels this near it, as a share of the price. */
const AROUND_SHARE = 0.02;
/** A bin stands out when it holds this many times its background. */
const OUTSTANDING = 1.2;

export function wallsOf(levels: readonly WallLevel[], price: number, { reach, bin }: WallOptions): Wall[] {
    return [...sideWalls('long', levels, price, reach, bin), ...sideWalls('short', levels, price, reach, bin)].sort(
        (a, b) => b.usd - a.usd,
    );
}

function sideWalls(side: Wall['side'], levels: readonly WallLevel[], price: number, reach: number, bin: number): Wall[] {
    const sums = new Map<number, number>();
    const first = rowOf({ price_low: 0, bin }, price * (1 - reach));
    const last = rowOf({ price_low: 0, bin }, price * (1 + reach));
    for (const level of levels) {
        const usd = side === 'long' ? level.long_density : level.short_density;
        const index = rowOf({ price_low: 0, bin }, level.price);
        if (usd > 0 && index >= first && index <= last) sums.set(index, (sums.get(index) ?? 0) + usd);
    }
    if (sums.size === 0) return [];
    const low = Math.min(...sums.keys());
    const cells = Float64Array.from({ length: Math.max(...sums.keys()) - low + 1 }, (_, at) => sums.get(low + at) ?? 0);
    const total = cells.reduce((sum, usd) => sum + usd, 0);
    const around = Math.max(1, Math.round((price * AROUND_SHARE) / bin));
    // Prefix sums make each background two look-ups.
    const before = new Float64Array(cells.length + 1);
    for (const [at, usd] of cells.entries()) before[at + 1] = (before[at] ?? 0) + usd;
    const stands = (at: number): boolean => {
        const from = Math.max(0, at - around);
        const to = Math.min(cells.length, at + around + 1);
        const mean = ((before[to] ?? 0) - (before[from] ?? 0)) / (to - from);
        return (cells[at] ?? 0) > OUTSTANDING * mean || (cells.length === 1 && (cells[at] ?? 0) > 0);
    };
    const walls: Wall[] = [];
    for (let at = 0; at < cells.length; at++) {
        if (!stands(at)) continue;
        const from = at;
        let peak = at;
        let usd = 0;
        for (; at < cells.length && stands(at); at++) {
            usd += cells[at] ?? 0;
            if ((cells[at] ?? 0) > (cells[peak] ?? 0)) peak = at;
        }
        const edges = { low: (low + from) * bin, high: (low + at) * bin };
        const nearer = edges.high <= price ? edges.high : Math.max(edges.low, price);
        walls.push({ side, ...edges, peak: (low + peak + 0.5) * bin, usd, share: usd / total, distance: nearer / price - 1 });
    }
    return walls;
}
