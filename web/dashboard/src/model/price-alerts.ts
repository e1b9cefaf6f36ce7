/** Prices that the page itself waits for. Each is reported once, when the market price reaches or passes it. */

export interface PriceAlert {
    id: string;
    symbol: string;
    price: number;
    paused: boolean;
    /** When it was reached, milliseconds since 1970; null while it waits. */
    reachedAt: number | null;
}

/** The last price of a symbol that was looked at; alerts compare with it. */
export type LastPrices = ReadonlyMap<string, number>;

function passed(target: number, before: number, now: number): boolean {
    return before <= now ? before <= target && target <= now : now <= target && target <= before;
}

/**
 * The alerts after the price of a symbol moved, and those it reached. `before`: the price looked at last; undefined for the
 * first one, which reaches only what it equals.
 */
export function afterPrice(
    alerts: readonly PriceAlert[],
    { symbol, before, price, now }: { symbol: string; before: number | undefined; price: number; now: number },
): { alerts: readonly PriceAlert[]; reached: readonly PriceAlert[] } {
    const isReached = (alert: PriceAlert): boolean =>
        alert.symbol === symbol && !alert.paused && alert.reachedAt === null && passed(alert.price, before ?? price, price);
    const reached = alerts.filter(isReached);
    if (reached.length === 0) return { alerts, reached };
    return { alerts: alerts.map((alert) => (reached.includes(alert) ? { ...alert, reachedAt: now } : alert)), reached };
}

/** Pauses an alert, or arms it again, also one that was reached. */
export function toggled(alerts: readonly PriceAlert[], id: string): readonly PriceAlert[] {
    return alerts.map((alert) =>
        alert.id !== id ? alert : { ...alert, paused: alert.reachedAt === null && !alert.paused, reachedAt: null },
    );
}

/** Stored alerts; what is not understood is skipped. */
export function priceAlertsOf(text: string | null): readonly PriceAlert[] {
    let stored: unknown;
    try {
        stored = JSON.parse(text ?? '[]');
    } catch {
        return [];
    }
    if (!Array.isArray(stored)) return [];
    return (stored as Partial<PriceAlert>[]).flatMap((each) => {
        const { id, symbol, price, paused, reachedAt } = each ?? {};
        if (typeof id !== 'string' || typeof symbol !== 'string' || typeof price !== 'number' || !(price > 0)) return [];
        return [{ id, symbol, price, paused: paused === true, reachedAt: typeof reachedAt === 'number' ? reachedAt : null }];
    });
}
