/** How much fits into the chart, by its width in CSS pixels. */

/** Of the price axis, so that the chart keeps its width from price to price. */
export const AXIS_PX_MIN = 64;
/** Narrower candles are hairs. */
export const CANDLE_PX_MIN = 4;

/** How many candles there is room for. `axis`: width of the price axis, 0 before there is one. */
export function barsMaxIn(width: number, axis = 0): number {
    return (width - Math.max(AXIS_PX_MIN, axis)) / CANDLE_PX_MIN;
}
