/**
 * From a cell's byte to its pixel: one table of 256 entries a side, rebuilt when a setting or the scale's end changes.
 *
 * `share` is a cell's place on the colour scale, 0..1. Logarithmic: the last two decades below the peak. Linear: dollars
 * over the peak's dollars. Percentile: the part of all cells with mass that have no more than this one.
 */
import type { Steps } from '../model/steps.ts';
import type { DrawnView, Scale } from '../state/view.ts';
import { colourAt, opacityAt, type Rgb, splitColourAt } from './colours.ts';

const STEPS = 256;
const LOG_DECADES = 2;

export interface ScaleInput {
    steps: Steps;
    /** The byte the scale ends at. */
    peak: number;
    /** Number of cells a byte, for the percentile scale. */
    counts: Float64Array;
}

export function shares(scale: Scale, { steps, peak, counts }: ScaleInput): Float64Array {
    const top = Math.max(1, peak);
    const topUsd = steps.usd(top);
    const result = new Float64Array(STEPS);
    let total = 0;
    for (let q = 1; q < STEPS; q++) total += counts[q] ?? 0;
    let seen = 0;
    for (let q = 1; q < STEPS; q++) {
        seen += counts[q] ?? 0;
        const usd = steps.usd(q);
        const share = {
            log: 1 + Math.log10(usd / topUsd) / LOG_DECADES,
            linear: usd / topUsd,
            percentile: total === 0 ? 0 : seen / total,
        }[scale];
        result[q] = Math.min(1, Math.max(0, share));
    }
    return result;
}

/** The amount at a place on the scale: what the colour bar's labels say. */
export function usdAt(scale: Scale, input: ScaleInput, share: number): number {
    const table = shares(scale, input);
    for (let q = 1; q < STEPS; q++) {
        if ((table[q] ?? 0) >= share) return input.steps.usd(q);
    }
    return input.steps.usd(input.peak);
}

export interface Palette {
    /** Pixels as little-endian RGBA by byte, for the sum of both sides or for the longs of the split view. */
    first: Uint32Array;
    /** For the shorts of the split view; the same table otherwise. */
    second: Uint32Array;
    /** Place on the colour scale by byte, 0..1. */
    shares: Float64Array;
}

function pixel([red, green, blue]: Rgb, opacity: number): number {
    return ((Math.round(opacity * 255) << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

type Look = Pick<DrawnView, 'scale' | 'colours' | 'threshold' | 'theme' | 'side'>;

function table(look: Look, places: Float64Array, colour: (share: number) => Rgb): Uint32Array {
    const pixels = new Uint32Array(STEPS);
    for (let q = 1; q < STEPS; q++) {
        const share = places[q] ?? 0;
        if (share <= 0 || share < look.threshold) continue;
        pixels[q] = pixel(colour(share), opacityAt(share, look.theme));
    }
    return pixels;
}

export function paletteOf(look: Look, input: ScaleInput): Palette {
    const places = shares(look.scale, input);
    if (look.side === 'split') {
        return {
            first: table(look, places, (share) => splitColourAt('long', look.theme, share)),
            second: table(look, places, (share) => splitColourAt('short', look.theme, share)),
            shares: places,
        };
    }
    const only = table(look, places, (share) => colourAt(look.colours, look.theme, share));
    return { first: only, second: only, shares: places };
}
