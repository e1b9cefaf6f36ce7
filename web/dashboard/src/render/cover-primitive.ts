/** What lies after the moment that is looked back to, covered; a line marks the moment itself. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time } from 'lightweight-charts';
import { barAxis } from './bar-axis.ts';

export interface CoverStyle {
    ground: string;
    line: string;
}

export class CoverPrimitive implements ISeriesPrimitive<Time>, IPrimitivePaneView, IPrimitivePaneRenderer {
    #attached: SeriesAttachedParameter<Time> | null = null;
    #logical: number | null = null;
    #style: CoverStyle = { ground: '#000', line: '#fff' };
    #above: (target: CanvasRenderingTarget2D) => void = () => {};
    readonly #views = [this];

    attached(param: SeriesAttachedParameter<Time>): void {
        this.#attached = param;
    }

    detached(): void {
        this.#attached = null;
    }

    /** Covers everything right of a place on the bar axis, and draws `above` over the cover; null uncovers. */
    show(logical: number | null, above: (target: CanvasRenderingTarget2D) => void): void {
        this.#logical = logical;
        this.#above = above;
        this.#attached?.requestUpdate();
    }

    style(style: CoverStyle): void {
        this.#style = style;
        this.#attached?.requestUpdate();
    }

    paneViews(): readonly IPrimitivePaneView[] {
        return this.#views;
    }

    zOrder(): 'top' {
        return 'top';
    }

    renderer(): IPrimitivePaneRenderer {
        return this;
    }

    draw(target: CanvasRenderingTarget2D): void {
        const logical = this.#logical;
        const axis = this.#attached === null ? null : barAxis(this.#attached.chart.timeScale());
        if (logical === null || axis === null) return;
        target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: rx }) => {
            const x = Math.round((0.5 + axis.x(logical)) * rx);
            if (x >= bitmapSize.width) return;
            context.save();
            context.fillStyle = this.#style.ground;
            context.fillRect(Math.max(0, x), 0, bitmapSize.width - Math.max(0, x), bitmapSize.height);
            context.fillStyle = this.#style.line;
            context.globalAlpha = 0.6;
            if (x >= 0) context.fillRect(x, 0, Math.max(1, Math.round(rx)), bitmapSize.height);
            context.restore();
        });
        this.#above(target);
    }
}
