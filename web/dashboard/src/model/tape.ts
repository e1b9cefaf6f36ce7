/** Realised liquidations as a list with totals. */
import type { Liquidation } from '../wire/answers.ts';

export interface Totals {
    hours: number;
    longUsd: number;
    shortUsd: number;
}

const HOUR_MS = 3_600_000;
export const TOTAL_HOURS = [1, 4, 12, 24] as const;

/** Sums by side over the last hours before `now`; an interval's sum counts when it began within them. */
export function totalsOf(list: readonly Liquidation[], now: number): Totals[] {
    return TOTAL_HOURS.map((hours) => {
        const totals = { hours, longUsd: 0, shortUsd: 0 };
        for (const { time, side, usd } of list) {
            if (time < now - hours * HOUR_MS || time >= now) continue;
            if (side === 'long') totals.longUsd += usd;
            else totals.shortUsd += usd;
        }
        return totals;
    });
}

/** The newest first, of at least this many dollars. */
export function tapeOf(list: readonly Liquidation[], usdMin: number, countMax: number): Liquidation[] {
    return list
        .filter(({ usd }) => usd >= usdMin)
        .sort((a, b) => b.time - a.time)
        .slice(0, countMax);
}
