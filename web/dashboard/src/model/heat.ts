/**
 * The picture's data: a history grid whose right edge keeps growing from live states.
 *
 * Columns sit in planes with room to spare on the right; when the room is used up, the oldest columns are dropped in one
 * move. `takeDirtyFrom` says from which column on the planes differ from what was last drawn, so that the drawing side
 * repaints only those.
 *
 * `long` and `short` are what is shown. While leverages are hidden that is a part of the totals, which are kept beside them;
 * otherwise they are the same arrays.
 */
import type { LeverageLevels } from '../wire/answers.ts';
import type { Grid, GridHeader } from '../wire/grid.ts';
import { LeveragePlanes, type Sides } from './leverage-planes.ts';
import type { Part } from './leverage-split.ts';
import { type Cell, edgeOf, rowOf } from './rows.ts';
import { Steps } from './steps.ts';

export interface LiveLevel {
    price: number;
    long_density: number;
    short_density: number;
}

/** Which side of the market counts. */
export type SideFilter = 'both' | 'long' | 'short';

export interface CellReading {
    readonly cell: Cell;
    /** Start of the column, milliseconds since 1970. */
    time: number;
    /** Lower and upper edge of the row. */
    low: number;
    high: number;
    longUsd: number;
    shortUsd: number;
}

export type LiveOutcome =
    /** The last column was repainted (or one was added). */
    | 'painted'
    /** The same, but columns in between were never seen and only repeat the last known one. */
    | 'patched'
    /** The state is older than the picture's edge. */
    | 'old'
    /** The picture no longer fits the market (a gap in time, the price near its edge, amounts beyond its scale): ask again. */
    | 'outgrown';

const SPARE_COLUMNS_MIN = 64;
/** A live state further ahead than this share of the picture leaves a hole that is not worth patching. */
const GAP_SHARE_MAX = 0.1;
/** Live amounts this far beyond the scale's end would all look alike: the history comes with a longer scale. */
const OVERFLOW_FACTOR = 1.25;
/** Share of the rows at either end that the price should stay out of. */
const EDGE_SHARE = 0.04;
/** Cells this near the price of their column, as a share of it, decide where the colour scale ends. */
const REACH_SHARE = 0.05;

export class Heat {
    readonly header: GridHeader;
    readonly steps: Steps;
    readonly rows: number;
    readonly capacity: number;
    long: Uint8Array;
    short: Uint8Array;
    readonly #totals: Sides;
    readonly #classes: LeveragePlanes | null;
    /** The leverages that are shown; null for all. */
    #shown: ReadonlySet<number> | null = null;
    #start: number;
    #columns: number;
    #dirtyFrom = 0;
    /** Largest step in the planes, so that the colour bar's top is what is really there. */
    #peak = 0;
    /** The same within reach of the price. */
    #nearPeak = 0;

    constructor({ header, long, short, classes }: Grid) {
        this.header = header;
        this.rows = header.rows;
        // A grid without any mass has no scale; any will do.
        const min = header.usd_min > 0 ? header.usd_min : 1;
        this.steps = new Steps(min, Math.max(min, header.usd_max));
        this.capacity = header.columns + Math.max(SPARE_COLUMNS_MIN, header.columns >> 2);
        const cells = this.capacity * this.rows;
        this.#totals = { long: new Uint8Array(cells), short: new Uint8Array(cells) };
        this.#totals.long.set(long);
        this.#totals.short.set(short);
        this.#classes = classes.length === 0 ? null : new LeveragePlanes(header.leverages, classes, cells, header.rows, this.steps);
        ({ long: this.long, short: this.short } = this.#totals);
        this.#start = header.start;
        this.#columns = header.columns;
        this.#fillBegunColumn();
        this.#measurePeak();
    }

    /** Whether leverages can be told apart. */
    isSplit(): boolean {
        return this.#classes !== null;
    }

    /** Whether a part of the picture is hidden. */
    isFiltered(): boolean {
        return this.#shown !== null;
    }

    /** Shows these leverages only, all of them for null; answers whether anything changed. */
    filter(shown: ReadonlySet<number> | null): boolean {
        const classes = this.#classes;
        const wanted = classes === null || shown === null || classes.leverages.every((each) => shown.has(each)) ? null : shown;
        const key = (set: ReadonlySet<number> | null): string => (set === null ? '' : `of ${[...set].sort().join()}`);
        if (classes === null || key(wanted) === key(this.#shown)) return false;
        this.#shown = wanted;
        if (wanted === null) ({ long: this.long, short: this.short } = this.#totals);
        else {
            const cells = this.capacity * this.rows;
            if (this.long === this.#totals.long) [this.long, this.short] = [new Uint8Array(cells), new Uint8Array(cells)];
            classes.compose(0, this.#columns, wanted, this.#totals, this);
        }
        this.#measurePeak();
        this.#dirtyFrom = 0;
        return true;
    }

    /** Start of the first column, milliseconds since 1970. */
    start(): number {
        return this.#start;
    }

    columns(): number {
        return this.#columns;
    }

    columnMs(): number {
        return this.header.column_ms;
    }

    /** The step the colour scale should end at: the largest one, or with `near` the largest within reach of the price. */
    peak(near = false): number {
        return near && this.#nearPeak > 0 ? this.#nearPeak : this.#peak;
    }

    /** First column that differs from what was drawn last (`columns()` when none does); asking resets it. */
    takeDirtyFrom(): number {
        const from = this.#dirtyFrom;
        this.#dirtyFrom = this.#columns;
        return Math.min(from, this.#columns);
    }

    /** Paints a live state into the last column, adding columns as time passes. `known`: its levels by leverage, as far as known. */
    paint(asOf: number, price: number | null, levels: readonly LiveLevel[], known: LeverageLevels | null = null): LiveOutcome {
        const column = Math.floor((asOf - this.#start) / this.header.column_ms);
        if (column < this.#columns - 1) return 'old';
        const missing = column + 1 - this.#columns;
        if (missing > this.header.columns * GAP_SHARE_MAX + 1) return 'outgrown';
        if (price !== null && this.#nearEdge(price)) return 'outgrown';
        // Counted beforehand: adding may drop the oldest columns, which renumbers the rest.
        for (let added = 0; added < missing; added++) this.#addColumn();
        const largest = this.#fillLast(levels, known);
        if (largest > this.steps.usdMax * OVERFLOW_FACTOR) return 'outgrown';
        return missing > 1 ? 'patched' : 'painted';
    }

    /** What stands at a time and price, or null outside the picture. */
    read(time: number, price: number): CellReading | null {
        const { column_ms } = this.header;
        const column = Math.floor((time - this.#start) / column_ms);
        const row = rowOf(this.header, price);
        if (column < 0 || column >= this.#columns || row < 0 || row >= this.rows) return null;
        const at = column * this.rows + row;
        return {
            cell: { column, row },
            time: this.#start + column * column_ms,
            low: edgeOf(this.header, row),
            high: edgeOf(this.header, row + 1),
            longUsd: this.steps.usd(this.long[at] ?? 0),
            shortUsd: this.steps.usd(this.short[at] ?? 0),
        };
    }

    /** The shown dollars of a cell by leverage, both sides together, highest first; empty where they cannot be told apart. */
    partsOf({ column, row }: Cell): Part[] {
        const parts = this.#classes?.parts(column * this.rows + row) ?? [];
        return parts.filter(({ leverage }) => this.#shown === null || this.#shown.has(leverage));
    }

    /** Everything from the row of a price to a cell, both with it, in the cell's column: what would be liquidated on the way. */
    between({ column, row }: Cell, from: number): { longUsd: number; shortUsd: number } {
        const start = rowOf(this.header, from);
        const first = Math.max(0, Math.min(start, row));
        const last = Math.min(this.rows - 1, Math.max(start, row));
        const sum = { longUsd: 0, shortUsd: 0 };
        for (let each = first; each <= last; each++) {
            sum.longUsd += this.steps.usd(this.long[column * this.rows + each] ?? 0);
            sum.shortUsd += this.steps.usd(this.short[column * this.rows + each] ?? 0);
        }
        return sum;
    }

    /** How many columns had ended by a moment. */
    endedBy(moment: number): number {
        return Math.max(0, Math.min(this.#columns, Math.floor((moment - this.#start) / this.header.column_ms)));
    }

    /** What stood at a moment, by the last column that had ended by then; nothing where the picture begins later. */
    levelsAt(moment: number): LiveLevel[] {
        return this.#levelsOf(this.endedBy(moment) - 1);
    }

    /** What stands now, of what is shown. */
    newestLevels(): LiveLevel[] {
        return this.#levelsOf(this.#columns - 1);
    }

    #levelsOf(column: number): LiveLevel[] {
        const levels: LiveLevel[] = [];
        for (let row = 0; column >= 0 && row < this.rows; row++) {
            const long = this.long[column * this.rows + row] ?? 0;
            const short = this.short[column * this.rows + row] ?? 0;
            if ((long | short) === 0) continue;
            levels.push({ price: edgeOf(this.header, row), long_density: this.steps.usd(long), short_density: this.steps.usd(short) });
        }
        return levels;
    }

    /** How long the cell's row has had mass of a side without a break up to this column; null where the cell is empty. */
    ageOf({ column, row }: Cell, side: SideFilter): number | null {
        const { long, short, rows } = this;
        const filled = (at: number): boolean => (side !== 'short' && (long[at] ?? 0) !== 0) || (side !== 'long' && (short[at] ?? 0) !== 0);
        let first = column;
        while (first >= 0 && filled(first * rows + row)) first -= 1;
        return first === column ? null : (column - first - 1) * this.header.column_ms;
    }

    /** A last column that has only just begun may hold nothing yet; what stood before still stands. */
    #fillBegunColumn(): void {
        const at = (this.#columns - 1) * this.rows;
        // Measured positions are there from its beginning, or it is a hole.
        if (this.#columns < 2 || this.header.coverage !== undefined) return;
        const begun = (plane: Uint8Array): boolean => plane.subarray(at, at + this.rows).every((cell) => cell === 0);
        if (!begun(this.long) || !begun(this.short)) return;
        for (const plane of [this.long, this.short]) plane.copyWithin(at, at - this.rows, at);
        this.#classes?.copyColumn(this.#columns - 1, this.#columns - 2);
    }

    #measurePeak(): void {
        [this.#peak, this.#nearPeak] = [0, 0];
        for (let column = 0; column < this.#columns; column++) this.#raisePeaks(column);
    }

    /**
     * Takes a column into the peaks. What is near the price has a peak of its own: venues with positions far from the
     * price would otherwise set the scale, and everything that the price may reach would look alike.
     */
    #raisePeaks(column: number): void {
        const { long, short, rows } = this;
        const at = column * rows;
        const sums = this.steps.sums();
        const [from, to] = this.#reach(at);
        for (let row = 0; row < rows; row++) {
            const sum = sums[((long[at + row] ?? 0) << 8) | (short[at + row] ?? 0)] ?? 0;
            this.#peak = Math.max(this.#peak, sum);
            if (row >= from && row < to) this.#nearPeak = Math.max(this.#nearPeak, sum);
        }
    }

    /** Rows within reach of the price of the column at this offset. Longs lie below the price and shorts above it. */
    #reach(at: number): [from: number, to: number] {
        const { long, short } = this.#totals;
        const { rows } = this;
        const { price_low, bin } = this.header;
        let highestLong = rows - 1;
        while (highestLong >= 0 && (long[at + highestLong] ?? 0) === 0) highestLong--;
        let lowestShort = 0;
        while (lowestShort < rows && (short[at + lowestShort] ?? 0) === 0) lowestShort++;
        if (highestLong < 0 && lowestShort === rows) return [0, rows];
        const row = highestLong < 0 ? lowestShort : lowestShort === rows ? highestLong : (highestLong + lowestShort) / 2;
        const distance = ((price_low + row * bin) * REACH_SHARE) / bin;
        return [Math.floor(row - distance), Math.ceil(row + distance) + 1];
    }

    /** The planes that hold something: the totals, and what is shown where that is less. */
    #planes(): Uint8Array[] {
        const { long, short } = this.#totals;
        return this.#shown === null ? [long, short] : [long, short, this.long, this.short];
    }

    #nearEdge(price: number): boolean {
        const { price_low, bin } = this.header;
        const share = (price - price_low) / (bin * this.rows);
        return share < EDGE_SHARE || share > 1 - EDGE_SHARE;
    }

    #addColumn(): void {
        if (this.#columns === this.capacity) this.#dropOldest();
        this.#dirtyFrom = Math.min(this.#dirtyFrom, Math.max(0, this.#columns - 1));
        // A column that no state was seen for keeps the last known one: positions do not vanish while we look away.
        const at = this.#columns * this.rows;
        for (const plane of this.#planes()) plane.copyWithin(at, at - this.rows, at);
        this.#classes?.copyColumn(this.#columns, this.#columns - 1);
        this.#columns += 1;
    }

    #dropOldest(): void {
        const dropped = Math.max(1, this.capacity - this.header.columns);
        for (const plane of this.#planes()) plane.copyWithin(0, dropped * this.rows);
        this.#classes?.dropOldest(dropped);
        this.#columns -= dropped;
        this.#start += dropped * this.header.column_ms;
        this.#dirtyFrom = 0;
    }

    /** Answers the largest amount of one side in a cell. */
    #fillLast(levels: readonly LiveLevel[], known: LeverageLevels | null): number {
        const long = new Float64Array(this.rows);
        const short = new Float64Array(this.rows);
        for (const level of levels) {
            const row = rowOf(this.header, level.price);
            if (row < 0 || row >= this.rows) continue;
            long[row] = (long[row] ?? 0) + level.long_density;
            short[row] = (short[row] ?? 0) + level.short_density;
        }
        const at = (this.#columns - 1) * this.rows;
        let largest = 0;
        for (let row = 0; row < this.rows; row++) {
            const longUsd = long[row] ?? 0;
            const shortUsd = short[row] ?? 0;
            this.#totals.long[at + row] = this.steps.step(longUsd);
            this.#totals.short[at + row] = this.steps.step(shortUsd);
            largest = Math.max(largest, longUsd, shortUsd);
        }
        const column = this.#columns - 1;
        this.#classes?.fillColumn(column, this.#totals, known, this.header);
        if (this.#shown !== null) this.#classes?.compose(column, this.#columns, this.#shown, this.#totals, this);
        this.#raisePeaks(column);
        this.#dirtyFrom = Math.min(this.#dirtyFrom, this.#columns - 1);
        return largest;
    }
}
