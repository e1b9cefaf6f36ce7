/** What is fetched to show a range of a symbol up to now: its levels and its candles. */
import { Candles } from '../model/candles.ts';
import { marketDecimals } from '../model/format.ts';
import { intervalMs, type Range } from '../model/ranges.ts';
import type { Api } from '../transport/api.ts';
import type { Candle, SymbolInfo } from '../wire/answers.ts';
import type { Grid } from '../wire/grid.ts';
import { rangeQueries } from './range-query.ts';
import { splitHistory } from './split-history.ts';

interface WantedRange {
    info: SymbolInfo;
    range: Range;
    /** The wanted candles; '' for those that fit. */
    interval: string;
    /** How many candles there is room for. */
    barsMax: number;
    /** Market time of the newest state; undefined before the first. */
    newest: number | undefined;
    /** Planes by leverage are wanted besides. */
    wantsSplit: boolean;
}

export interface FetchedRange {
    grid: Grid;
    /** Those within the picture, oldest first. */
    candles: readonly Candle[];
    interval: string;
    /** Planes by leverage were wanted, and the picture is too large for them. */
    isRefused: boolean;
}

/** Digits after the point that prices of a market need. */
export function decimalsOf(candles: readonly Candle[], bin: number): number {
    return marketDecimals(
        candles.flatMap(({ high, low, close }) => [high, low, close]),
        bin,
    );
}

/**
 * Null where the time has no levels or no candles. `preview` hears of the candles when they are there, which is sooner: they are a
 * tenth of the bytes.
 *
 * # Throws what `Api` throws.
 */
export async function fetchRange(
    api: Api,
    { info, range, interval: wanted, barsMax, newest, wantsSplit }: WantedRange,
    preview: (candles: Candles, decimals: number) => void,
    signal: AbortSignal,
): Promise<FetchedRange | null> {
    const { interval, candles: query, grid: gridQuery } = rangeQueries(info, range, wanted, barsMax, newest);
    const stepMs = intervalMs(interval);
    const asked = api.candles(query, signal);
    asked.then(
        (all) => {
            const last = all.at(-1);
            if (signal.aborted || last === undefined) return;
            const to = last.time + stepMs;
            const candles = all.filter(({ time }) => time >= to - range.ms);
            preview(new Candles(candles, stepMs, candles[0]?.time ?? to, to), decimalsOf(candles, info.baseBin));
        },
        // Told to whoever waits for the whole.
        () => {},
    );
    const [{ grid, isRefused }, all] = await Promise.all([splitHistory(api, gridQuery, wantsSplit, signal), asked]);
    const { header } = grid;
    // The newest this many candles reach further back than the range where the data has holes.
    const candles = all.filter(({ time }) => time + stepMs > header.start);
    return header.columns === 0 || header.rows === 0 || candles.length === 0 ? null : { grid, candles, interval, isRefused };
}
