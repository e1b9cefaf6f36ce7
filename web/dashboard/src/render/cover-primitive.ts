/** What lies after the moment that is looked back to, covered; a line marks the moment itself. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import { ChartPrimitive } from './chart-primitive.ts';

export interface CoverStyle {
    ground: string;
    line: string;
}

export class CoverPrimitive extends ChartPrimitive<CoverStyle> {
    #logical: number | null = null;
    #above: (target: CanvasRenderingTarget2D) => void = () => {};

    constructor() {
        super('top', { ground: '#000', line: '#fff' });
    }

    /** Covers everything right of a place on the bar axis, and draws `above` over the cover; null uncovers. */
    show(logical: number | null, above: (target: CanvasRenderingTarget2D) => void): void {
        this.#logical = logical;
        this.#above = above;
        this.redraw();
    }

    draw(target: CanvasRenderingTarget2D): void {
        const logical = this.#logical;
        const axis = this.axis();
        if (logical === null || axis === null) return;
        target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: rx }) => {
            const x = Math.round((0.5 + axis.x(logical)) * rx);
            if (x >= bitmapSize.width) return;
            context.save();
            context.fillStyle = this.colours.ground;
            context.fillRect(Math.max(0, x), 0, bitmapSize.width - Math.max(0, x), bitmapSize.height);
            context.fillStyle = this.colours.line;
            context.globalAlpha = 0.6;
            if (x >= 0) context.fillRect(x, 0, Math.max(1, Math.round(rx)), bitmapSize.height);
            context.restore();
        });
        this.#above(target);
    }
}
