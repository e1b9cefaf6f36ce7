/** The time ranges on offer, the candles each is drawn with, and which of them the data can fill. */

export interface Range {
    id: string;
    ms: number;
}

/** Most candles that the server answers with. */
export const CANDLES_MAX = 5_000;

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

export const RANGES: readonly Range[] = [
    { id: '12h', ms: 12 * HOUR_MS },
    { id: '24h', ms: DAY_MS },
    { id: '3d', ms: 3 * DAY_MS },
    { id: '7d', ms: 7 * DAY_MS },
    { id: '30d', ms: 30 * DAY_MS },
    { id: '90d', ms: 90 * DAY_MS },
    { id: '180d', ms: 180 * DAY_MS },
    { id: '1y', ms: 365 * DAY_MS },
];

export function rangeById(id: string): Range | undefined {
    return RANGES.find((range) => range.id === id);
}

const INTERVAL_MS: Readonly<Record<string, number>> = {
    '1m': 60_000,
    '5m': 300_000,
    '15m': 900_000,
    '1h': HOUR_MS,
    '4h': 4 * HOUR_MS,
    '1d': DAY_MS,
};

export const INTERVALS: readonly string[] = Object.keys(INTERVAL_MS);

/** # Throws `RangeError` for an interval this page does not know. */
export function intervalMs(interval: string): number {
    const ms = INTERVAL_MS[interval];
    if (ms === undefined) throw new RangeError(`unknown interval "${interval}"`);
    return ms;
}

/** # Throws `RangeError` for a length that no interval has. */
export function intervalName(ms: number): string {
    const found = Object.entries(INTERVAL_MS).find(([, each]) => each === ms)?.[0];
    if (found === undefined) throw new RangeError(`no interval of ${ms} ms`);
    return found;
}

/** Names of the intervals that bars of this one make up, the shortest first. */
export function intervalsFrom(stored: string): string[] {
    const storedMs = INTERVAL_MS[stored] ?? 0;
    return Object.keys(INTERVAL_MS).filter((name) => (INTERVAL_MS[name] ?? 0) >= storedMs);
}

/** The finest candles of which a range has no more than `barsMax`, but none finer than the stored bars. */
export function candleInterval(range: Range, stored: string, barsMax: number): string {
    const storedMs = INTERVAL_MS[stored] ?? 0;
    const offered = Object.entries(INTERVAL_MS).filter(([, ms]) => ms >= storedMs);
    const fitting = offered.find(([, ms]) => range.ms / ms <= barsMax);
    return (fitting ?? offered.at(-1))?.[0] ?? stored;
}

/** The coarsest interval that is no longer than a column, of which a range has no more than `countMax`; null where there is none. */
export function columnInterval(range: Range, stored: string, columnMs: number, countMax: number): string | null {
    const storedMs = INTERVAL_MS[stored] ?? 0;
    const fine = Object.entries(INTERVAL_MS).filter(([, ms]) => ms >= storedMs && ms <= columnMs && range.ms / ms <= countMax);
    return fine.at(-1)?.[0] ?? null;
}

/** A range is worth offering when data fills most of it; the shortest always is. */
const FILLED_SHARE_MIN = 0.6;

export function available(spanMs: number): Set<string> {
    const ids = RANGES.filter((range) => spanMs >= FILLED_SHARE_MIN * range.ms).map((range) => range.id);
    return new Set([RANGES[0]?.id ?? '', ...ids]);
}

/** The ranges that the data of a symbol fills. `newest`: its newest time where that is known better than by the list of symbols. */
export function rangesOf({ first, last }: { first: number | null; last: number | null }, newest: number): Set<string> {
    return available(Math.max(newest, last ?? 0) - (first ?? 0));
}

/** The preferred range, or the longest available one shorter than it. */
export function fitting(wanted: string, offered: ReadonlySet<string>): string {
    const upTo = RANGES.findIndex((range) => range.id === wanted);
    const candidates = RANGES.slice(0, upTo + 1).filter((range) => offered.has(range.id));
    return candidates.at(-1)?.id ?? RANGES[0]?.id ?? wanted;
}
