/** What is asked for to show a range of a symbol up to now. */

import { LAYER_EVERY_MS } from '../model/coverage.ts';
import { CANDLES_MAX, candleInterval, intervalMs, intervalsFrom, type Range } from '../model/ranges.ts';
import { marketOf } from '../model/venues.ts';
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

/**
 * `wanted`: interval of the candles, '' for one that fits; `barsMax`: how many candles there is room for; `newest`: market time
 * where that is known better than by the list of symbols.
 */
export function rangeQueries(info: SymbolInfo, range: Range, wanted: string, barsMax: number, newest = 0): RangeQueries {
    const { symbol, interval: stored } = info;
    const isPossible = intervalsFrom(stored).includes(wanted) && range.ms / intervalMs(wanted) <= CANDLES_MAX - 2;
    const interval = isPossible ? wanted : candleInterval(range, stored, barsMax);
    const limit = Math.ceil(range.ms / intervalMs(interval)) + 2;
    const candles = { symbol: marketOf(info), interval, limit };
    // A range of measured positions begins with the first of them; the time before is a part of the picture, and says so.
    const from = Math.floor((Math.max(newest, info.last ?? 0) - range.ms) / LAYER_EVERY_MS) * LAYER_EVERY_MS;
    const grid = { symbol, ...(info.estimate === undefined ? { range: range.id } : { from }), columns: COLUMNS_MAX };
    return { interval, candles, grid };
}
