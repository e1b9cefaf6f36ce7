/** Stretches of time without data, so that the chart can say so instead of showing nothing. */
import type { Candles } from './candles.ts';
import type { Stretch } from './tile-plan.ts';

/** Fewer candles than this missing in a row are trades that nobody made. */
const BARS_MIN = 3;
const HOLE_MS_MIN = 15 * 60_000;

/** Runs of intervals without a candle between the first and the last one there is, oldest first. */
export function holesOf(candles: Candles): Stretch[] {
    const holes: Stretch[] = [];
    let last: number | null = null;
    for (const { time, candle } of candles.bars()) {
        if (candle === undefined) continue;
        const missing = last === null ? 0 : time - last;
        if (last !== null && missing >= Math.max(BARS_MIN * candles.intervalMs, HOLE_MS_MIN)) holes.push({ from: last, to: time });
        last = time + candles.intervalMs;
    }
    return holes;
}
