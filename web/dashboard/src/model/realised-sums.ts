/** Liquidations as they happen, put into the sums that the server made of those before. */
import type { Liquidation } from '../wire/answers.ts';

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
