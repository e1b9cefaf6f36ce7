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

/** Totals of the last hours with further liquidations in them, each of now. */
export function totalsWith(totals: readonly Totals[], rows: readonly Liquidation[]): Totals[] {
    const none = { longUsd: 0, shortUsd: 0 };
    return totals.map(({ hours, venues, ...all }) => {
        const names = [...new Set([...venues, ...rows].map(({ venue }) => venue))].sort();
        return {
            hours,
            ...plus(all, sums(rows)),
            venues: names.map((venue) => {
                const before = venues.find((each) => each.venue === venue) ?? none;
                return { venue, ...plus(before, sums(rows.filter((each) => each.venue === venue))) };
            }),
        };
    });
}

interface Sums {
    longUsd: number;
    shortUsd: number;
}

function plus(a: Sums, b: Sums): Sums {
    return { longUsd: a.longUsd + b.longUsd, shortUsd: a.shortUsd + b.shortUsd };
}

function sums(list: readonly Liquidation[]): Sums {
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
