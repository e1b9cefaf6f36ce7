/**
 * How much of a market's open interest a picture of measured positions shows, over time. Where nothing was measured there is a
 * hole, not a market without positions.
 *
 * A history says it of each of its columns. States that come live do not; of those it is learned from answers in between.
 */
import type { Grid, GridHeader } from '../wire/grid.ts';
import type { Stretch } from './tile-plan.ts';

/** Shares of a side's open interest, 0..1; null where that is unknown. */
export interface Covered {
    readonly long: number | null;
    readonly short: number | null;
}

/** How often the server stores a layer: no column of a picture is shorter. */
export const LAYER_EVERY_MS = 300_000;

interface Learned {
    time: number;
    /** Null: nothing is measured. */
    covered: Covered | null;
}

export class Coverage {
    readonly #header: GridHeader;
    /** Of each column; null where nothing was measured. */
    readonly #columns: readonly (Covered | null)[];
    /** What came after the history, oldest first. */
    readonly #learned: Learned[] = [];

    private constructor(header: GridHeader, columns: readonly (Covered | null)[]) {
        this.#header = header;
        this.#columns = columns;
    }

    /** Null of an estimate. */
    static of({ header, long, short }: Pick<Grid, 'header' | 'long' | 'short'>): Coverage | null {
        const { coverage, columns, rows } = header;
        if (coverage === undefined) return null;
        const isEmpty = (plane: Uint8Array, column: number): boolean =>
            plane.subarray(column * rows, (column + 1) * rows).every((cell) => cell === 0);
        const covered = Array.from({ length: columns }, (_, column): Covered | null => {
            const shares = { long: coverage.long[column] ?? null, short: coverage.short[column] ?? null };
            const isUnknown = shares.long === null && shares.short === null;
            // Positions without a share were measured while the open interest was not known.
            return isUnknown && isEmpty(long, column) && isEmpty(short, column) ? null : shares;
        });
        return new Coverage(header, covered);
    }

    /** Takes what an answer of a moment says; null where nothing is measured. */
    learn(time: number, covered: Covered | null): void {
        if (time <= (this.#learned.at(-1)?.time ?? this.#end() - this.#header.column_ms)) return;
        this.#learned.push({ time, covered });
    }

    #end(): number {
        return this.#header.start + this.#columns.length * this.#header.column_ms;
    }

    /** Null where nothing was measured. After the history the last known share goes on. */
    at(time: number): Covered | null {
        const { start, column_ms } = this.#header;
        const column = Math.floor((time - start) / column_ms);
        const learned = this.#learned.findLast((each) => each.time <= time);
        if (learned !== undefined) return learned.covered;
        return this.#columns[column < 0 ? -1 : Math.min(column, this.#columns.length - 1)] ?? null;
    }

    /** Stretches in which nothing was measured, oldest first; the last one may reach up to `now`. */
    holes(now: number): Stretch[] {
        const { start, column_ms } = this.#header;
        const end = { time: Math.max(now, this.#end()), covered: { long: null, short: null } };
        const columns = this.#columns.map((covered, column) => ({ time: start + column * column_ms, covered }));
        const holes: Stretch[] = [];
        let from: number | null = null;
        for (const { time, covered } of [...columns, ...this.#learned, end]) {
            if (covered === null) from ??= time;
            else if (from !== null) {
                if (time > from) holes.push({ from, to: time });
                from = null;
            }
        }
        return holes;
    }
}

/** `51 % of longs, 47 % of shorts`; null where neither is known. */
export function coveredWords({ long, short }: Covered): string | null {
    const of = (share: number | null, side: string): string[] => (share === null ? [] : [`${sharePercent(share)} of ${side}`]);
    const words = [...of(long, 'longs'), ...of(short, 'shorts')];
    return words.length === 0 ? null : words.join(', ');
}

/** Of small shares the first digit that is not 0 counts. */
export function sharePercent(share: number): string {
    const percent = share * 100;
    return `${percent > 0 && percent < 9.95 ? percent.toFixed(1) : Math.round(percent)} %`;
}
