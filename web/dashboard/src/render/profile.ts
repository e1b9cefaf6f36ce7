/**
 * Today's levels as bars growing from the right edge of the picture, beside the price axis: the live edge, readable at a
 * glance. Longs below the price in one hue, shorts above it in the other.
 */
import type { BitmapCoordinatesRenderingScope } from 'fancy-canvas';
import { rowOf } from '../model/rows.ts';

export interface ProfileLevel {
    price: number;
    long_density: number;
    short_density: number;
}

export interface ProfileStyle {
    long: string;
    short: string;
}

const WIDTH_PX_MAX = 120;
/** Narrower bars say nothing. */
const WIDTH_PX_MIN = 8;
const BAR_GAP_PX = 1;

/** Levels summed into bins wide enough to be drawn as bars of a pixel or more. */
export function binned(levels: readonly ProfileLevel[], bin: number): Map<number, { long: number; short: number }> {
    const bins = new Map<number, { long: number; short: number }>();
    for (const level of levels) {
        const index = rowOf({ price_low: 0, bin }, level.price);
        const sum = bins.get(index) ?? { long: 0, short: 0 };
        sum.long += level.long_density;
        sum.short += level.short_density;
        bins.set(index, sum);
    }
    return bins;
}

/** `y` maps a price to a CSS pixel; `bin` is the width of the bars in price; `room` the CSS pixels right of the picture's end. */
export function drawProfile(
    scope: BitmapCoordinatesRenderingScope,
    levels: readonly ProfileLevel[],
    bin: number,
    room: number,
    y: (price: number) => number | null,
    style: ProfileStyle,
): void {
    if (room < WIDTH_PX_MIN) return;
    const { context, bitmapSize, mediaSize, horizontalPixelRatio: rx, verticalPixelRatio: ry } = scope;
    const bars: { top: number; height: number; usd: number; colour: string }[] = [];
    let largest = 0;
    for (const [index, sum] of binned(levels, bin)) {
        const top = y((index + 1) * bin);
        const bottom = y(index * bin);
        if (top === null || bottom === null || bottom < 0 || top > mediaSize.height) continue;
        const usd = sum.long + sum.short;
        largest = Math.max(largest, usd);
        const height = Math.max(1, (bottom - top) * ry - BAR_GAP_PX);
        bars.push({ top: top * ry, height, usd, colour: sum.long >= sum.short ? style.long : style.short });
    }
    if (largest === 0) return;
    const widest = Math.min(WIDTH_PX_MAX, room) * rx;
    context.save();
    context.globalAlpha = 0.85;
    for (const bar of bars) {
        const width = (bar.usd / largest) * widest;
        context.fillStyle = bar.colour;
        context.fillRect(bitmapSize.width - width, bar.top, width, bar.height);
    }
    context.restore();
}
