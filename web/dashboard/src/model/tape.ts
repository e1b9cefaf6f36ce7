/** Realised liquidations as a list with totals. */
import type { Liquidation, Totals } from '../wire/answers.ts';

const HOUR_MS = 3_600_000;
export const TOTAL_HOURS = [1, 4, 12, 24] as const;

/** Sums by side and venue over the last hours before `now`; an interval's sum counts when it began within them. */
export function totalsOf(list: readonly Liquidation[], now: number): Totals[] {
    const venues = [...new Set(list.map(({ venue }) => venue))].sort();
    return TOTAL_HOURS.map((hours) => {
        const within = list.filter(({ time }) => time >= now - hours * HOUR_MS && time < now);
        return {
            hours,
            ...sums(within),
            venues: venues.map((venue) => ({ venue, ...sums(within.filter((each) => each.venue === venue)) })),
        };
    });
}

function sums(list: readonly Liquidation[]): { longUsd: number; shortUsd: number } {
    const of = (side: Liquidation['side']): number => list.reduce((sum, each) => (each.side === side ? sum + each.usd : sum), 0);
    return { longUsd: of('long'), shortUsd: of('short') };
}

/** The newest first, of at least this many dollars. */
export function tapeOf(list: readonly Liquidation[], usdMin: number, countMax: number): Liquidation[] {
    return list
        .filter(({ usd }) => usd >= usdMin)
        .sort((a, b) => b.time - a.time)
        .slice(0, countMax);
}
