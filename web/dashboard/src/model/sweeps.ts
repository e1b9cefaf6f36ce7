/**
 * Where the price took mass: the last cells of bands that end because the price got there.
 *
 * A side's cell that had mass and has none in the next column was swept when the price was there in the meantime. Without the
 * price the mass went otherwise (the model began anew after a hole in the data), and nothing is marked.
 */
import type { Heat } from './heat.ts';
import { rowOf } from './rows.ts';

export interface Reach {
    low: number;
    high: number;
}

export class Sweeps {
    /** Indices into the heat's planes of the last cells that had mass, by column. */
    #cells: number[] = [];
    readonly #heat: Heat;
    readonly #reach: (from: number, to: number) => Reach | null;

    /** `reach`: the lowest and highest price between two times, or null where nothing is known of them. */
    constructor(heat: Heat, reach: (from: number, to: number) => Reach | null) {
        this.#heat = heat;
        this.#reach = reach;
    }

    cells(): readonly number[] {
        return this.#cells;
    }

    /** Looks anew at columns from `changed` on, in the planes of the sides that count. */
    refresh(changed: number, planes: readonly Uint8Array[]): void {
        const first = Math.max(1, changed);
        const kept = (first - 1) * this.#heat.rows;
        while ((this.#cells.at(-1) ?? -1) >= kept) this.#cells.pop();
        for (let column = first; column < this.#heat.columns(); column++) this.#find(column, planes);
    }

    #find(column: number, planes: readonly Uint8Array[]): void {
        const { header, rows } = this.#heat;
        const time = this.#heat.start() + column * header.column_ms;
        const reach = this.#reach(time, time + header.column_ms);
        if (reach === null) return;
        const lowest = Math.max(0, rowOf(header, reach.low));
        const highest = Math.min(rows - 1, rowOf(header, reach.high));
        const at = column * rows;
        for (let row = lowest; row <= highest; row++) {
            const swept = planes.some((plane) => (plane[at + row] ?? 0) === 0 && (plane[at - rows + row] ?? 0) !== 0);
            if (swept) this.#cells.push(at - rows + row);
        }
    }
}
