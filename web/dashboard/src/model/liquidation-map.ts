/**
 * The second view's data: today's levels by price bin and leverage, and what adds up on the way from the price outwards.
 *
 * Longs lie below the price and are summed towards lower prices, shorts above it towards higher ones: the curve at a price
 * says how much is liquidated if the market goes there.
 */
import type { LeverageLevel, LeverageLevels } from '../wire/answers.ts';
import { rowOf } from './rows.ts';

export interface MapBin {
    /** Lower edge. */
    price: number;
    side: 'long' | 'short';
    /** Dollars by leverage, in the order of `LeverageMap.leverages`. */
    usd: readonly number[];
    total: number;
    /** From the price to this bin and with it. */
    cumulative: number;
}

export interface LeverageMap {
    price: number;
    bin: number;
    /** Ascending. */
    leverages: readonly number[];
    /** Ascending in price; longs and shorts of one bin are two entries. */
    bins: readonly MapBin[];
    /** The prices the map spans; the same whatever leverages are shown, so that it does not jump. */
    low: number;
    high: number;
    largest: number;
    longUsd: number;
    shortUsd: number;
}

/** The map looks this far to either side of the price. */
const REACH_SHARE = 0.15;

export function leverageMap(levels: LeverageLevels, baseBin: number, barsMax: number, hidden: readonly number[]): LeverageMap {
    const price = levels.currentPrice;
    const reach = price * REACH_SHARE;
    const bin = baseBin * Math.max(1, Math.ceil((2 * reach) / baseBin / Math.max(1, barsMax)));
    const near = (level: LeverageLevel): boolean => Math.abs(level.price - price) <= reach && level.usd > 0;
    const long = levels.long.filter(near);
    const short = levels.short.filter(near);
    const leverages = [...new Set([...long, ...short].map(({ leverage }) => leverage))].sort((a, b) => a - b);
    const prices = [price, ...[...long, ...short].map((level) => level.price)];
    const low = prices.reduce((least, each) => Math.min(least, each)) - bin;
    const high = prices.reduce((most, each) => Math.max(most, each)) + 2 * bin;
    const wanted = (level: LeverageLevel): boolean => !hidden.includes(level.leverage);
    const below = stacked('long', long.filter(wanted), bin, leverages).sort((a, b) => b.price - a.price);
    const above = stacked('short', short.filter(wanted), bin, leverages).sort((a, b) => a.price - b.price);
    const longUsd = accumulate(below);
    const shortUsd = accumulate(above);
    const bins = [...below.reverse(), ...above];
    const largest = bins.reduce((most, { total }) => Math.max(most, total), 0);
    return { price, bin, leverages, bins, low, high, largest, longUsd, shortUsd };
}

type Writable = { -readonly [Key in keyof MapBin]: MapBin[Key] };

function stacked(side: 'long' | 'short', levels: readonly LeverageLevel[], bin: number, leverages: readonly number[]): Writable[] {
    const bins = new Map<number, Writable & { usd: number[] }>();
    for (const level of levels) {
        const index = rowOf({ price_low: 0, bin }, level.price);
        let into = bins.get(index);
        if (into === undefined) {
            into = { price: index * bin, side, usd: leverages.map(() => 0), total: 0, cumulative: 0 };
            bins.set(index, into);
        }
        const place = leverages.indexOf(level.leverage);
        into.usd[place] = (into.usd[place] ?? 0) + level.usd;
        into.total += level.usd;
    }
    return [...bins.values()];
}

function accumulate(outwards: Writable[]): number {
    let sum = 0;
    for (const each of outwards) {
        sum += each.total;
        each.cumulative = sum;
    }
    return sum;
}
