/** Thin bright edges where bands end because the price took them, just left of the candle that did it. */
import type { BitmapCoordinatesRenderingScope } from 'fancy-canvas';
import type { Raster } from './raster.ts';

const EDGE_PX = 1.5;
/** Rows lower than this or candles narrower than that would be all edges. */
const ROW_PX_MIN = 2;
const CANDLE_PX_MIN = 3;
/** Bands fainter than this share of the scale are not worth an edge. */
const SHARE_MIN = 0.2;
/** Opacity goes in a few steps: setting it for every cell costs more than drawing the cell. */
const OPACITIES = [0.3, 0.5, 0.7, 0.9];

export interface EdgePlaces {
    rows: number;
    /** Columns that can be seen: the first and one past the last. */
    from: number;
    to: number;
    /** CSS pixel of the left edge of the candle that covers the beginning of a column. */
    candleLeft(column: number): number;
    candleWidth: number;
    /** CSS pixel of the upper edge of a row, and its height. */
    rowTop(row: number): number;
    rowHeight: number;
}

export function drawEdges(scope: BitmapCoordinatesRenderingScope, raster: Raster, places: EdgePlaces, ink: string): void {
    const { rows, rowHeight } = places;
    if (rowHeight < ROW_PX_MIN || places.candleWidth < CANDLE_PX_MIN) return;
    const { context, horizontalPixelRatio: rx, verticalPixelRatio: ry } = scope;
    const batches: number[][] = OPACITIES.map(() => []);
    for (const cell of raster.swept()) {
        const column = Math.floor(cell / rows) + 1;
        if (column < places.from || column >= places.to) continue;
        const share = raster.shareAt(cell);
        if (share < SHARE_MIN) continue;
        batches[Math.min(OPACITIES.length - 1, Math.floor(share * OPACITIES.length))]?.push(cell);
    }
    context.save();
    context.fillStyle = ink;
    batches.forEach((cells, index) => {
        context.globalAlpha = OPACITIES[index] ?? 1;
        for (const cell of cells) {
            const column = Math.floor(cell / rows);
            const x = Math.round((places.candleLeft(column + 1) - EDGE_PX / 2) * rx);
            const top = Math.round(places.rowTop(cell - column * rows) * ry);
            const bottom = Math.round((places.rowTop(cell - column * rows) + rowHeight) * ry);
            context.fillRect(x, top, Math.max(1, Math.round(EDGE_PX * rx)), bottom - top);
        }
    });
    context.restore();
}
