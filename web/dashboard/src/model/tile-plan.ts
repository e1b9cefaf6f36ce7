/**
 * Which tiles a viewport needs: pure, so that the same viewport always asks for the same addresses.
 *
 * A tile is a stretch of time at a level: columns of `bar * 2^level`, a fixed number of them, counted from 1970. So tiles of a
 * level fit together whatever was looked at before, and panning never cuts time anew. All tiles of a plan have the same rows,
 * which reach beyond the viewport and stay as they are until it leaves them.
 */
import { intervalMs, intervalsFrom } from './ranges.ts';
import { CANDLE_PX_MIN } from './room.ts';

/** What the chart shows: time in milliseconds since 1970, prices, and the size of its pane in CSS pixels. */
export interface Viewport {
    from: number;
    to: number;
    low: number;
    high: number;
    width: number;
    height: number;
}

/** What the server has of the symbol. */
export interface Stored {
    /** Begin of the oldest bar. */
    first: number;
    /** Time of the newest event. */
    now: number;
    /** Name of the interval of its bars. */
    interval: string;
    /** The base bin; cells of the model are a tenth of it. */
    baseBin: number;
    /** Of measured positions, which are stored more coarsely than bars and cells of a model: the finest column and row. */
    finest?: { columnMs: number; bin: number };
}

export interface PriceRows {
    /** Lower edge of row 0, a whole multiple of the bin. */
    low: number;
    bin: number;
    rows: number;
}

export interface Stretch {
    readonly from: number;
    readonly to: number;
}

export interface Plan {
    readonly columnMs: number;
    readonly prices: PriceRows;
    /** Tiles that the viewport shows, oldest first. */
    readonly near: readonly Stretch[];
    /** Tiles beside it that the next pan shows. */
    readonly around: readonly Stretch[];
    /** Interval of the candles. */
    readonly interval: string;
    /** Chunks of candles, oldest first. */
    readonly chunks: readonly Stretch[];
}

export const TILE_COLUMNS = 256;
const CHUNK_CANDLES = 500;
const COLUMNS_MIN = 300;
const COLUMNS_MAX = 1_000;
const ROWS_MIN = 150;
const ROWS_MAX = 500;
/** A row that is less high cannot be seen. */
const ROW_PX = 1.5;
/** Rows begin and end at whole multiples of this many bins. */
const SNAP_ROWS = 64;
/** Share of the viewport's prices by which rows reach beyond it. */
const PRICE_MARGIN = 0.5;
/** Rows that reach this far beyond it, and are neither much finer nor coarser than wanted, are kept. */
const PRICE_MARGIN_MIN = 0.02;
const FINER_MAX = 2.6;
const COARSER_MAX = 1.3;
/** Share of the viewport's time for which tiles are fetched beside it, and candles. */
const AROUND = 0.5;
const CANDLES_AROUND = 1;
const CELLS_PER_BIN = 10;

function clamp(value: number, low: number, high: number): number {
    return Math.min(high, Math.max(low, value));
}

/** The lowest of 1, 2, 5, 10, .. times a power of ten that is at least this much. */
export function niceStep(atLeast: number): number {
    const power = Math.floor(Math.log10(atLeast));
    for (const times of [1, 2, 5, 10]) {
        const step = Number(`${times}e${power}`);
        if (step >= atLeast * (1 - 1e-9)) return step;
    }
    return Number(`1e${power + 1}`);
}

export function columnMsFor(spanMs: number, width: number, barMs: number): number {
    const most = clamp(width, COLUMNS_MIN, COLUMNS_MAX);
    let columnMs = barMs;
    while (spanMs / columnMs > most) columnMs *= 2;
    return columnMs;
}

function rowsFor({ low, high, height }: Viewport, { baseBin, finest: stored }: Stored, before: PriceRows | null): PriceRows {
    const span = Math.max(high - low, Math.abs(high) * 1e-6, Number.MIN_VALUE);
    const wanted = clamp(height / ROW_PX, ROWS_MIN, ROWS_MAX);
    const finest = niceStep(Math.max(1e-8, stored?.bin ?? baseBin / CELLS_PER_BIN));
    if (before !== null) {
        const reach = before.low + before.bin * before.rows;
        const margin = span * PRICE_MARGIN_MIN;
        const rows = span / before.bin;
        const fits = rows <= wanted * FINER_MAX && (rows * COARSER_MAX >= wanted / 2.5 || before.bin <= finest);
        if (fits && Math.max(0, low - margin) >= before.low && high + margin <= reach) return before;
    }
    const bin = Math.max(niceStep(span / wanted), finest);
    const margin = span * PRICE_MARGIN;
    const first = Math.max(0, Math.floor((low - margin) / bin / SNAP_ROWS) * SNAP_ROWS);
    const last = Math.max(first + SNAP_ROWS, Math.ceil((high + margin) / bin / SNAP_ROWS) * SNAP_ROWS);
    return { low: Number((first * bin).toPrecision(12)), bin, rows: last - first };
}

/** Whole stretches of a length, counted from 1970, that overlap a time; none where it has no length. */
export function stretches(from: number, to: number, lengthMs: number): Stretch[] {
    const all: Stretch[] = [];
    if (from >= to) return all;
    for (let at = Math.floor(from / lengthMs) * lengthMs; at < to; at += lengthMs) all.push({ from: at, to: at + lengthMs });
    return all;
}

/** The finest candles of which there is room, but none finer than the stored bars; the wanted ones where there is room for them. */
export function candlesFor(spanMs: number, width: number, stored: string, wanted: string): string {
    const offered = intervalsFrom(stored);
    // A person who chose an interval may have it as narrow as a pixel.
    if (offered.includes(wanted) && spanMs / intervalMs(wanted) <= width) return wanted;
    return offered.find((each) => spanMs / intervalMs(each) <= width / CANDLE_PX_MIN) ?? offered.at(-1) ?? stored;
}

/** `before`: the plan that is on the screen, whose rows are kept while they do. `interval`: the wanted candles, '' for any. */
export function planOf(viewport: Viewport, stored: Stored, before: Plan | null, interval = ''): Plan {
    const spanMs = Math.max(1, viewport.to - viewport.from);
    const columnMs = columnMsFor(spanMs, viewport.width, stored.finest?.columnMs ?? intervalMs(stored.interval));
    const tileMs = columnMs * TILE_COLUMNS;
    const within = (share: number): [number, number] => [
        Math.max(stored.first, viewport.from - spanMs * share),
        Math.min(stored.now, viewport.to + spanMs * share),
    ];
    const near = stretches(...within(0), tileMs);
    const isNear = new Set(near.map(({ from }) => from));
    const candles = candlesFor(spanMs, viewport.width, stored.interval, interval);
    return {
        columnMs,
        prices: rowsFor(viewport, stored, before?.prices ?? null),
        near,
        around: stretches(...within(AROUND), tileMs).filter(({ from }) => !isNear.has(from)),
        interval: candles,
        chunks: stretches(...within(CANDLES_AROUND), intervalMs(candles) * CHUNK_CANDLES),
    };
}

/** Whether two plans show the same picture of the same tiles. */
export function isSamePicture(one: Plan, other: Plan): boolean {
    return (
        one.columnMs === other.columnMs &&
        one.interval === other.interval &&
        one.prices.low === other.prices.low &&
        one.prices.bin === other.prices.bin &&
        one.prices.rows === other.prices.rows
    );
}
