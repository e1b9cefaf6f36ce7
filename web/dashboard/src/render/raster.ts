/**
 * The heat as a bitmap: one pixel a cell, columns from left to right, highest price on top.
 *
 * Colouring a million cells costs a few milliseconds, so it happens only for columns that changed (the live edge: one) or
 * when a setting did. Panning and zooming never touch the pixels; they only scale the bitmap.
 */
import type { Heat } from '../model/heat.ts';
import { type Reach, Sweeps } from '../model/sweeps.ts';
import type { DrawnView } from '../state/view.ts';
import { type Palette, paletteOf, type ScaleInput } from './palette.ts';

const STEPS = 256;
const NONE: readonly number[] = [];

type Look = Pick<DrawnView, 'scale' | 'colours' | 'threshold' | 'theme' | 'side' | 'swept' | 'near'>;

export class Raster {
    readonly canvas: HTMLCanvasElement;
    readonly #context: CanvasRenderingContext2D;
    readonly #heat: Heat;
    readonly #sweeps: Sweeps;
    #palette: Palette;
    #look: Look;
    #scale: ScaleInput;

    /** `reach`: where the price was between two times. */
    constructor(heat: Heat, look: Look, reach: (from: number, to: number) => Reach | null) {
        this.#heat = heat;
        this.#sweeps = new Sweeps(heat, reach);
        this.canvas = document.createElement('canvas');
        this.canvas.width = Math.max(1, heat.capacity);
        this.canvas.height = Math.max(1, heat.rows);
        const context = this.canvas.getContext('2d');
        if (context === null) throw new Error('this browser gives no 2d canvas');
        this.#context = context;
        this.#look = look;
        this.#scale = this.#measure();
        this.#palette = paletteOf(look, this.#scale);
    }

    scale(): ScaleInput {
        return this.#scale;
    }

    /** The last cells of swept bands, as indices into the planes; none while they are not asked for. */
    swept(): readonly number[] {
        return this.#look.swept ? this.#sweeps.cells() : NONE;
    }

    /** A cell's place on the colour scale, 0..1; 0 also where the threshold hides it. */
    shareAt(cell: number): number {
        const { long, short } = this.#heat;
        const { side, threshold } = this.#look;
        const a = side === 'short' ? 0 : (long[cell] ?? 0);
        const b = side === 'long' ? 0 : (short[cell] ?? 0);
        const share = this.#palette.shares[this.#heat.steps.sums()[(a << 8) | b] ?? 0] ?? 0;
        return share < threshold ? 0 : share;
    }

    /** Colours everything anew. */
    restyle(look: Look): void {
        this.#look = look;
        this.#scale = this.#measure();
        this.#palette = paletteOf(look, this.#scale);
        this.#heat.takeDirtyFrom();
        this.#paint(0);
    }

    /** Colours what changed since; answers whether anything did. */
    refresh(): boolean {
        const grown = this.#heat.peak(this.#look.near) > this.#scale.peak;
        if (grown) {
            this.restyle(this.#look);
            return true;
        }
        const from = this.#heat.takeDirtyFrom();
        if (from >= this.#heat.columns()) return false;
        this.#paint(from);
        return true;
    }

    #measure(): ScaleInput {
        const counts = new Float64Array(STEPS);
        const heat = this.#heat;
        if (this.#look.scale === 'percentile') {
            const sums = heat.steps.sums();
            const cells = heat.columns() * heat.rows;
            for (let at = 0; at < cells; at++) {
                const sum = sums[((heat.long[at] ?? 0) << 8) | (heat.short[at] ?? 0)] ?? 0;
                counts[sum] = (counts[sum] ?? 0) + 1;
            }
        }
        return { steps: heat.steps, peak: heat.peak(this.#look.near), counts };
    }

    #paint(from: number): void {
        const heat = this.#heat;
        if (this.#look.swept) this.#sweeps.refresh(from, this.#planes());
        const width = heat.columns() - from;
        if (width <= 0 || heat.rows === 0) return;
        const image = this.#context.createImageData(width, heat.rows);
        const pixels = new Uint32Array(image.data.buffer);
        const colour = this.#colouring();
        for (let x = 0; x < width; x++) {
            const column = (from + x) * heat.rows;
            let at = x + (heat.rows - 1) * width;
            for (let row = 0; row < heat.rows; row++, at -= width) {
                pixels[at] = colour(heat.long[column + row] ?? 0, heat.short[column + row] ?? 0);
            }
        }
        this.#context.putImageData(image, from, 0);
    }

    /** The sides that are shown. */
    #planes(): Uint8Array[] {
        const { long, short } = this.#heat;
        const { side } = this.#look;
        return side === 'long' ? [long] : side === 'short' ? [short] : [long, short];
    }

    #colouring(): (long: number, short: number) => number {
        const { first, second } = this.#palette;
        const sums = this.#heat.steps.sums();
        switch (this.#look.side) {
            case 'both':
                return (long, short) => first[sums[(long << 8) | short] ?? 0] ?? 0;
            case 'long':
                return (long) => first[long] ?? 0;
            case 'short':
                return (_long, short) => first[short] ?? 0;
            case 'split':
                return (long, short) => (long >= short ? first[long] : second[short]) ?? 0;
        }
    }
}
