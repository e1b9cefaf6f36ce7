/**
 * Playing the stored past: where the shown moment is after a while.
 *
 * Pure: the clock is a parameter. The moment only ever stands on a boundary between two candles of what is loaded, so whatever
 * the speed, nothing later than it can show.
 */
import { momentAt, type Span } from './replay.ts';

/** Market seconds a second. */
export const SPEEDS = ['60', '300', '900', '3600', '14400'] as const;
export type Speed = (typeof SPEEDS)[number];

/** Longer pauses between two frames (a tab in the background) are not made up for. */
const FRAME_MS_MAX = 1_000;

export interface Playhead {
    /** Market time, milliseconds since 1970, as a rule between two boundaries. */
    readonly time: number;
    /** When it was there, by a clock of this machine, milliseconds. */
    readonly at: number;
}

/** What can be played without loading more. */
export interface Reach {
    span: Span;
    /** Whether the newest candle of `span` is that of now. */
    isLive: boolean;
}

export interface Played {
    head: Playhead;
    /** The moment to show; null for now, where playing ends. */
    moment: number | null;
    /** What comes next is not loaded yet. */
    isWaiting: boolean;
}

/** Where a head that moves with `speed` market seconds a second is at `now`. */
export function played(head: Playhead, now: number, speed: number, { span, isLive }: Reach): Played {
    const passed = Math.min(FRAME_MS_MAX, Math.max(0, now - head.at));
    const time = Math.max(head.time, span.first) + passed * speed;
    if (time <= span.last) return { head: { time, at: now }, moment: momentAt(span, time), isWaiting: false };
    if (isLive) return { head: { time, at: now }, moment: null, isWaiting: false };
    // Waits at the end of what is there, as far as it had come: a picture that arrives late skips nothing.
    const end = Math.max(span.last, head.time);
    return { head: { time: end, at: now }, moment: momentAt(span, span.last), isWaiting: true };
}

/** Share of what is visible that a replay from the beginning shows at once: enough to see where the market came from. */
const LEAD_SHARE = 0.25;

/** Where to begin when no moment is chosen: a little after the left edge. */
export function beginning({ from, to }: { from: number; to: number }, span: Span): number {
    const wanted = from + (to - from) * LEAD_SHARE;
    return momentAt(span, Math.min(wanted, span.last)) ?? span.first;
}

/** One step slower or faster. */
export function otherSpeed(speed: Speed, way: -1 | 1): Speed {
    const at = SPEEDS.indexOf(speed) + way;
    return SPEEDS[Math.min(SPEEDS.length - 1, Math.max(0, at))] ?? speed;
}

/** Share of the chart right of which a moving moment does not go, and where it is put when it would. */
const SIGHT_SHARE = 0.8;

/** What the chart has to show so that a moment is in sight: null where it is. */
export function followed({ from, to }: { from: number; to: number }, moment: number): { from: number; to: number } | null {
    if (moment > from && moment <= from + (to - from) * SIGHT_SHARE) return null;
    return around({ from, to }, moment);
}

/** The same stretch of time moved so that a moment has what came before it at its left. */
export function around({ from, to }: { from: number; to: number }, moment: number): { from: number; to: number } {
    const length = to - from;
    const start = moment - length * SIGHT_SHARE;
    return { from: start, to: start + length };
}
