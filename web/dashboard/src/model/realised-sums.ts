/** Liquidations as they happen, put into the sums and totals that the server made of those before. */
import type { Liquidation, Totals } from '../wire/answers.ts';

/**
 * Sums by interval, venue and side, oldest first, with further liquidations in them. A sum's price is weighted by coins, which
 * are its dollars over its price.
 */
export function withRows(sums: readonly Liquidation[], rows: readonly Liquidation[], intervalMs: number): Liquidation[] {
    const keyOf = ({ time, venue, side }: Liquidation): string => `${time} ${venue} ${side}`;
    const found = new Map(sums.map((sum, at) => [keyOf(sum), at]));
    const next = [...sums];
    for (const row of rows) {
        const added = { ...row, time: Math.floor(row.time / intervalMs) * intervalMs };
        const at = found.get(keyOf(added));
        const sum = at === undefined ? undefined : next[at];
        if (at === undefined || sum === undefined) {
            found.set(keyOf(added), next.length);
            next.push(added);
        } else {
            const usd = sum.usd + row.usd;
            next[at] = { ...sum, usd, price: usd > 0 ? usd / (sum.usd / sum.price + row.usd / row.price) : sum.price };
        }
    }
    return next.sort((a, b) => a.time - b.time);
}

/** Totals of the last hours with further liquidations in them, each of now. */
export function totalsWith(totals: readonly Totals[], rows: readonly Liquidation[]): Totals[] {
    if (rows.length === 0) return [...totals];
    const sumOf = (side: Liquidation['side'], venue?: string): number =>
        rows.reduce((sum, row) => (row.side === side && (venue === undefined || row.venue === venue) ? sum + row.usd : sum), 0);
    return totals.map(({ hours, longUsd, shortUsd, venues }) => {
        const names = [...new Set([...venues.map(({ venue }) => venue), ...rows.map(({ venue }) => venue)])].sort();
        return {
            hours,
            longUsd: longUsd + sumOf('long'),
            shortUsd: shortUsd + sumOf('short'),
            venues: names.map((venue) => {
                const before = venues.find((each) => each.venue === venue);
                return {
                    venue,
                    longUsd: (before?.longUsd ?? 0) + sumOf('long', venue),
                    shortUsd: (before?.shortUsd ?? 0) + sumOf('short', venue),
                };
            }),
        };
    });
}
