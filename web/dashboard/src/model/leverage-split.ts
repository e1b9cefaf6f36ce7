/** Which leverages a bin's dollars belong to. */
import type { LeverageLevels } from '../wire/answers.ts';

export interface Part {
    leverage: number;
    usd: number;
}

/** What stands at prices from `low` up to `high`, by leverage, highest first, of the sides that count together. */
export function splitBetween({ long, short }: LeverageLevels, low: number, high: number, side: 'both' | 'long' | 'short' = 'both'): Part[] {
    // A lower edge that is a multiple of the bin stays in its own bin despite rounding.
    const slack = (high - low) * 1e-6;
    const sums = new Map<number, number>();
    for (const { price, usd, leverage } of [...(side === 'short' ? [] : long), ...(side === 'long' ? [] : short)]) {
        if (price < low - slack || price >= high - slack) continue;
        sums.set(leverage, (sums.get(leverage) ?? 0) + usd);
    }
    return [...sums].map(([leverage, usd]) => ({ leverage, usd })).sort((a, b) => b.leverage - a.leverage);
}
