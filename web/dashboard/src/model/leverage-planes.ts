/**
 * A picture split by leverage: one plane a class, both sides together, and what of the totals is left when some classes are
 * hidden.
 *
 * The totals stay the truth. A class plane only says which part of its cell belongs to the class, so rounding cannot make the
 * parts sum to more than the whole, and with everything shown the picture is the one without the split.
 */
import type { LeverageLevels } from '../wire/answers.ts';
import type { Part } from './leverage-split.ts';
import { type Rows, rowOf } from './rows.ts';
import type { Steps } from './steps.ts';

/** A plane a side, columns of `rows` cells each. */
export interface Sides {
    long: Uint8Array;
    short: Uint8Array;
}

export class LeveragePlanes {
    readonly leverages: readonly number[];
    readonly #planes: readonly Uint8Array[];
    readonly #rows: number;
    readonly #steps: Steps;

    /** `capacity`: how many cells there is to be room for. */
    constructor(leverages: readonly number[], planes: readonly Uint8Array[], capacity: number, rows: number, steps: Steps) {
        this.leverages = leverages;
        this.#rows = rows;
        this.#steps = steps;
        this.#planes = planes.map((plane) => {
            const roomy = new Uint8Array(capacity);
            roomy.set(plane);
            return roomy;
        });
    }

    /** A column becomes like another one. */
    copyColumn(to: number, from: number): void {
        const rows = this.#rows;
        for (const plane of this.#planes) plane.copyWithin(to * rows, from * rows, (from + 1) * rows);
    }

    /** The oldest columns go, the rest move to the front. */
    dropOldest(columns: number): void {
        for (const plane of this.#planes) plane.copyWithin(0, columns * this.#rows);
    }

    /** A cell's dollars by class, highest leverage first; classes without any are skipped. */
    parts(cell: number): Part[] {
        const parts = this.leverages.map((leverage, place) => ({ leverage, usd: this.#steps.usd(this.#planes[place]?.[cell] ?? 0) }));
        return parts.filter(({ usd }) => usd > 0).reverse();
    }

    /**
     * Splits a column whose totals are new. What today's levels say of a row counts; a row they do not know keeps the split it
     * had, and one that had none is split like the whole column.
     */
    fillColumn(column: number, totals: Sides, known: LeverageLevels | null, geometry: Rows): void {
        const { rows } = geometry;
        const classes = this.leverages.length;
        const knownUsd = new Float64Array(rows * classes);
        for (const level of known === null ? [] : [...known.long, ...known.short]) {
            const row = rowOf(geometry, level.price);
            const place = this.leverages.indexOf(level.leverage);
            if (row >= 0 && row < rows && place >= 0) knownUsd[row * classes + place] = (knownUsd[row * classes + place] ?? 0) + level.usd;
        }
        const mix = new Float64Array(classes);
        const at = column * rows;
        const shares = new Float64Array(classes);
        const sum = (values: Float64Array): number => values.reduce((a, b) => a + b, 0);
        for (let row = 0; row < rows; row++) {
            for (let place = 0; place < classes; place++)
                mix[place] = (mix[place] ?? 0) + this.#steps.usd(this.#planes[place]?.[at + row] ?? 0);
        }
        if (sum(mix) === 0) mix.fill(1);
        for (let row = 0; row < rows; row++) {
            const usd = this.#steps.usd(totals.long[at + row] ?? 0) + this.#steps.usd(totals.short[at + row] ?? 0);
            for (let place = 0; place < classes; place++) shares[place] = knownUsd[row * classes + place] ?? 0;
            if (sum(shares) === 0) {
                for (let place = 0; place < classes; place++) shares[place] = this.#steps.usd(this.#planes[place]?.[at + row] ?? 0);
            }
            const from = sum(shares) === 0 ? mix : shares;
            const whole = sum(from);
            this.#planes.forEach((plane, place) => {
                plane[at + row] = this.#steps.step((usd * (from[place] ?? 0)) / whole);
            });
        }
    }

    /** Writes into `out` the totals that remain from column `from` up to `to` when only these leverages are shown. */
    compose(from: number, to: number, shown: ReadonlySet<number>, totals: Sides, out: Sides): void {
        const steps = this.#steps;
        const amounts = Float64Array.from({ length: 256 }, (_, q) => steps.usd(q));
        const kept = this.#planes.filter((_, place) => shown.has(this.leverages[place] ?? 0));
        const hidden = this.#planes.filter((_, place) => !shown.has(this.leverages[place] ?? 0));
        for (let cell = from * this.#rows; cell < to * this.#rows; cell++) {
            const long = totals.long[cell] ?? 0;
            const short = totals.short[cell] ?? 0;
            if ((long | short) === 0) {
                out.long[cell] = 0;
                out.short[cell] = 0;
                continue;
            }
            let part = 0;
            let rest = 0;
            for (const plane of kept) part += amounts[plane[cell] ?? 0] ?? 0;
            for (const plane of hidden) rest += amounts[plane[cell] ?? 0] ?? 0;
            // A cell that no class has anything of is too small to be split.
            const share = rest === 0 ? 1 : part / (part + rest);
            out.long[cell] = steps.part(long, share);
            out.short[cell] = steps.part(short, share);
        }
    }
}
