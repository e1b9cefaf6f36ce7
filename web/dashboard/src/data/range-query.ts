/** What is asked for to show a range of a symbol up to now. */
import { CANDLES_MAX, candleInterval, intervalMs, intervalsFrom, type Range } from '../model/ranges.ts';
import type { Query } from '../transport/early.ts';
import type { SymbolInfo } from '../wire/answers.ts';

const COLUMNS_MAX = 1000;

export interface RangeQueries {
    /** Of the candles. */
    interval: string;
    candles: Query;
    /** Without planes by leverage. */
    grid: Query;
}

/** `wanted`: interval of the candles, '' for one that fits; `barsMax`: how many candles there is room for. */
export function rangeQueries({ symbol, interval: stored }: SymbolInfo, range: Range, wanted: string, barsMax: number): RangeQueries {
    const isPossible = intervalsFrom(stored).includes(wanted) && range.ms / intervalMs(wanted) <= CANDLES_MAX - 2;
    const interval = isPossible ? wanted : candleInterval(range, stored, barsMax);
    const limit = Math.ceil(range.ms / intervalMs(interval)) + 2;
    return { interval, candles: { symbol, interval, limit }, grid: { symbol, range: range.id, columns: COLUMNS_MAX } };
}
