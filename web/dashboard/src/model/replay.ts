/**
 * Looking back: the moment the picture is shown as of, which is a boundary between two candles, or now.
 *
 * Nothing that happened after the moment may show. So the moment is never inside a candle, and of the columns only those
 * count that had ended by then.
 */
import type { Candles } from './candles.ts';
import { formatAge } from './format.ts';
import type { Heat, LiveLevel } from './heat.ts';
import { rangeById } from './ranges.ts';

export interface Span {
    /** The earliest and the latest moment to look back to: boundaries of candles, the last one the newest candle's beginning. */
    first: number;
    last: number;
    step: number;
}

/** The moments on offer; null where there is no more than one candle. */
export function spanOf(heat: Heat, candles: Candles): Span | null {
    const step = candles.intervalMs;
    // At least one whole candle and one whole column to look at.
    const first = Math.ceil((Math.max(heat.start(), candles.firstTime()) + Math.max(step, heat.columnMs())) / step) * step;
    // Candles may reach further than the picture that lies under them.
    const end = heat.start() + heat.columns() * heat.columnMs();
    const last = Math.min(candles.last(), Math.floor(end / step) * step);
    return first < last ? { first, last, step } : null;
}

/** A moment on offer near the wanted one; null for now, which begins after the last boundary. */
export function momentAt({ first, last, step }: Span, wanted: number): number | null {
    if (wanted > last) return null;
    return Math.max(first, Math.floor(wanted / step) * step);
}

/**
 * The moment of a picture that stands for the wanted one; null where what is wanted lies outside of the picture. `begin`: when the
 * stored data begins. Before its first moment there is nothing else to show, so that one is taken.
 */
export function momentIn(heat: Heat, candles: Candles, wanted: number, begin: number): number | null {
    const span = spanOf(heat, candles);
    if (span === null || wanted > span.last) return null;
    if (wanted >= span.first) return momentAt(span, wanted);
    const first = Math.max(heat.start(), candles.firstTime());
    return first <= begin + Math.max(span.step, heat.columnMs()) ? span.first : null;
}

/** One candle earlier or later than a moment (null: now). */
export function stepped(span: Span, moment: number | null, way: -1 | 1): number | null {
    if (moment === null) return way < 0 ? span.last : null;
    return momentAt(span, moment + way * span.step);
}

/** The price and the levels as they stood at a moment. */
export function stateAt(heat: Heat, candles: Candles, moment: number): { price: number | null; levels: LiveLevel[] } {
    return { price: candles.lastPrice(moment) ?? null, levels: heat.levelsAt(moment) };
}

/** The price that the change up to a moment is counted from, and over which time: the range before it, or what of that is loaded. */
export function changeSince(candles: Candles, moment: number, range: string): { price: number; over: string } | null {
    const wanted = moment - (rangeById(range)?.ms ?? 0);
    const first = candles.firstTime();
    const from = Math.max(wanted, first);
    const price = candles.lastPrice(from) ?? candles.firstOpen();
    if (price === undefined || from >= moment) return null;
    return { price, over: from === wanted ? range : formatAge(moment - from) };
}
