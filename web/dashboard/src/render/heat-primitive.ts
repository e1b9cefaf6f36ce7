/**
 * Puts the bitmap under the candles: one `drawImage` a frame, whatever the number of cells.
 *
 * Columns are times and rows are prices, both evenly spaced, and both of the chart's scales are straight lines (the time
 * axis because `Candles` leaves no gaps), so two corners place the whole picture.
 */
import type { BitmapCoordinatesRenderingScope, CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Heat } from '../model/heat.ts';
import { barAxis } from './bar-axis.ts';
import { type Attached, ChartPrimitive } from './chart-primitive.ts';
import { drawEdges } from './edges.ts';
import { drawProfile, type ProfileLevel, type ProfileStyle } from './profile.ts';
import type { Raster } from './raster.ts';

/** A picture and its pixels. */
export interface Layer {
    heat: Heat;
    raster: Raster;
}

export interface HeatPicture extends Layer {
    /** Reaches up to now. */
    isLive: boolean;
    /** Position of a time on the bar axis. */
    logical(time: number): number;
    /** Where the newest candle ends on the bar axis. */
    end(): number;
}

export interface HeatStyle extends ProfileStyle {
    /** Where bands end because the price took them. */
    edge: string;
}

const BAR_PX_MIN = 3;
/** A price axis is taken for a straight line when its middle is no further off. */
const STRAIGHT_PX = 0.5;
/** Enough that each is straight to the pixel on a log axis over a factor of ten. */
const STRIPS = 160;

/** Bitmap pixels of the first and one-past-last cell along one axis, and where they lie on the screen. */
interface Span {
    from: number;
    count: number;
    at: number;
    size: number;
}

interface Box {
    left: number;
    top: number;
    right: number;
    bottom: number;
}

/** The cells of an axis that can be seen: cell n covers `origin + n * step` to `origin + (n + 1) * step`. */
export function visibleSpan(origin: number, step: number, cells: number, screen: number): Span | null {
    if (!(step > 0)) return null;
    const from = Math.max(0, Math.floor(-origin / step));
    const to = Math.min(cells, Math.ceil((screen - origin) / step));
    if (to <= from) return null;
    return { from, count: to - from, at: origin + from * step, size: (to - from) * step };
}

export class HeatPrimitive extends ChartPrimitive<HeatStyle> {
    #picture: HeatPicture | null = null;
    #under: readonly Layer[] = [];
    #levels: readonly ProfileLevel[] = [];
    #baseBin = 1;
    #until: number | null = null;

    constructor() {
        super('bottom', { long: '#00f', short: '#f80', edge: '#fff' });
    }

    /** `under`: pictures that show where this one does not reach, the newest last. */
    show(picture: HeatPicture | null, under: readonly Layer[]): void {
        this.#picture = picture;
        this.#under = under;
        this.redraw();
    }

    /** Today's levels, drawn as bars at the right edge. */
    profile(levels: readonly ProfileLevel[], baseBin: number): void {
        this.#levels = levels;
        this.#baseBin = baseBin;
        this.redraw();
    }

    /**
     * Draws only columns that had ended by then, and leaves the bars to whoever draws above: they stand on what covers the
     * rest. Null: everything.
     */
    until(moment: number | null): void {
        this.#until = moment;
        this.redraw();
    }

    drawBars(target: CanvasRenderingTarget2D): void {
        target.useBitmapCoordinateSpace((scope) => this.#bars(scope));
    }

    draw(target: CanvasRenderingTarget2D): void {
        target.useBitmapCoordinateSpace((scope) => {
            this.#blit(scope);
            if (this.#until === null) this.#bars(scope);
        });
    }

    #blit(scope: BitmapCoordinatesRenderingScope): void {
        const attached = this.chart;
        const picture = this.#picture;
        if (attached === null || picture === null) return;
        const { context, bitmapSize } = scope;
        const covered = this.#draw(scope, attached, picture, picture, true);
        if (this.#until !== null || this.#under.length === 0) return;
        context.save();
        let free = covered;
        for (const layer of [...this.#under].reverse()) {
            if (free !== null) {
                if (free.left <= 0 && free.top <= 0 && free.right >= bitmapSize.width && free.bottom >= bitmapSize.height) break;
                // Only where nothing newer is.
                const outside = new Path2D();
                outside.rect(0, 0, bitmapSize.width, bitmapSize.height);
                outside.rect(free.left, free.top, free.right - free.left, free.bottom - free.top);
                context.clip(outside, 'evenodd');
            }
            free = this.#draw(scope, attached, picture, layer, false);
        }
        context.restore();
    }

    /** Draws a picture on the axis of the shown one; answers where it reaches, in pixels of the bitmap. */
    #draw(scope: BitmapCoordinatesRenderingScope, attached: Attached, picture: HeatPicture, layer: Layer, isTop: boolean): Box | null {
        const { heat, raster } = layer;
        const axis = barAxis(attached.chart.timeScale());
        const { price_low: low, bin } = heat.header;
        const high = low + bin * heat.rows;
        const top = attached.series.priceToCoordinate(high);
        const bottom = attached.series.priceToCoordinate(low);
        if (axis === null || top === null || bottom === null) return null;
        const { context, bitmapSize, horizontalPixelRatio: rx, verticalPixelRatio: ry } = scope;
        const x = (time: number): number => axis.x(picture.logical(time));
        const left = x(heat.start());
        const width = x(heat.start() + heat.columnMs()) - left;
        // A coordinate names the left edge of the pixel a bar's middle falls into; half a pixel more is the middle itself.
        const ended = this.#until === null ? heat.columns() : heat.endedBy(this.#until);
        const box = { left: (left + 0.5) * rx, top: top * ry, right: (left + 0.5 + width * ended) * rx, bottom: bottom * ry };
        const columns = visibleSpan((left + 0.5) * rx, width * rx, ended, bitmapSize.width);
        if (columns === null) return box;
        const yOf = (row: number): number => attached.series.priceToCoordinate(low + row * bin) ?? 0;
        const middle = heat.rows / 2;
        const straight = Math.abs(yOf(middle) - (top + bottom) / 2) < STRAIGHT_PX;
        if (!straight) {
            this.#blitStrips(scope, layer, columns, yOf);
            return box;
        }
        const rows = visibleSpan(top * ry, ((bottom - top) / heat.rows) * ry, heat.rows, bitmapSize.height);
        if (rows === null) return box;
        context.save();
        // Bands run along time: skipping columns loses nothing that can be seen, skipping rows would lose whole bands.
        context.imageSmoothingEnabled = rows.size < rows.count;
        context.drawImage(raster.canvas, columns.from, rows.from, columns.count, rows.count, columns.at, rows.at, columns.size, rows.size);
        context.restore();
        if (!isTop) return box;
        const rowHeight = (bottom - top) / heat.rows;
        drawEdges(
            scope,
            raster,
            {
                rows: heat.rows,
                from: columns.from,
                to: columns.from + columns.count,
                // Bar n reaches from n - 0.5 to n + 0.5.
                candleLeft: (column) => {
                    const bar = Math.floor(picture.logical(heat.start() + column * heat.columnMs()) + 0.5);
                    return 0.5 + axis.x(bar - 0.5);
                },
                candleWidth: axis.width,
                rowTop: (row) => top + (heat.rows - 1 - row) * rowHeight,
                rowHeight,
            },
            this.colours.edge,
        );
        return box;
    }

    /** On a price axis that is no straight line: strips of rows, each placed by its own edges. */
    #blitStrips(
        { context, bitmapSize, verticalPixelRatio: ry }: BitmapCoordinatesRenderingScope,
        { heat, raster }: Layer,
        columns: Span,
        yOf: (row: number) => number,
    ): void {
        const height = Math.max(1, Math.ceil(heat.rows / STRIPS));
        context.save();
        context.imageSmoothingEnabled = false;
        for (let row = 0; row < heat.rows; row += height) {
            const upTo = Math.min(heat.rows, row + height);
            const top = Math.round(yOf(upTo) * ry);
            const bottom = Math.round(yOf(row) * ry);
            if (bottom <= 0 || top >= bitmapSize.height || bottom <= top) continue;
            context.drawImage(
                raster.canvas,
                columns.from,
                heat.rows - upTo,
                columns.count,
                upTo - row,
                columns.at,
                top,
                columns.size,
                bottom - top,
            );
        }
        context.restore();
    }

    #bars(scope: BitmapCoordinatesRenderingScope): void {
        const attached = this.chart;
        const picture = this.#picture;
        if (attached === null || picture === null || this.#levels.length === 0) return;
        if (!picture.isLive && this.#until === null) return;
        const y = (price: number): number | null => attached.series.priceToCoordinate(price);
        const { price_low: low, bin } = picture.heat.header;
        const top = y(low + bin);
        const bottom = y(low);
        if (top === null || bottom === null) return;
        const room = this.#roomRight(attached, picture, scope.mediaSize.width);
        // The picture's own rows, or as many of them together as make a bar that can be seen.
        const together = Math.max(1, Math.ceil(BAR_PX_MIN / Math.max(1e-6, bottom - top)));
        drawProfile(scope, this.#levels, Math.max(bin, this.#baseBin) * together, room, y, this.colours);
    }

    /** CSS pixels right of what is shown last: levels of now never cover the past. */
    #roomRight(attached: Attached, { heat, logical, end }: HeatPicture, width: number): number {
        const axis = barAxis(attached.chart.timeScale());
        if (axis === null) return 0;
        const columnsEnd = logical(heat.start() + heat.columns() * heat.columnMs());
        const last = this.#until === null ? Math.max(columnsEnd, end()) : logical(this.#until);
        return width - (0.5 + axis.x(last));
    }
}
