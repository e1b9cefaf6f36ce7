/** Liquidations that really happened, as circles whose area is their dollars; drawn above the candles. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type {
    IPrimitivePaneRenderer,
    IPrimitivePaneView,
    ISeriesPrimitive,
    Logical,
    SeriesAttachedParameter,
    Time,
} from 'lightweight-charts';
import type { Candles } from '../model/candles.ts';
import type { Liquidation } from '../wire/answers.ts';

export interface EventStyle {
    /** Longs that were sold out. */
    long: string;
    /** Shorts that were bought in. */
    short: string;
    ring: string;
}

const RADIUS_PX_MAX = 16;
const RADIUS_PX_MIN = 1.5;
/** As many as stay readable; the largest are kept. */
const SHOWN_MAX = 400;

export class EventsPrimitive implements ISeriesPrimitive<Time>, IPrimitivePaneView, IPrimitivePaneRenderer {
    #attached: SeriesAttachedParameter<Time> | null = null;
    #shown: readonly Liquidation[] = [];
    #candles: Candles | null = null;
    #largest = 1;
    #style: EventStyle = { long: '#f00', short: '#0f0', ring: '#000' };
    readonly #views = [this];

    attached(param: SeriesAttachedParameter<Time>): void {
        this.#attached = param;
    }

    detached(): void {
        this.#attached = null;
    }

    show(list: readonly Liquidation[], candles: Candles | null): void {
        this.#shown = [...list].sort((a, b) => b.usd - a.usd).slice(0, SHOWN_MAX);
        this.#largest = this.#shown[0]?.usd ?? 1;
        this.#candles = candles;
        this.#attached?.requestUpdate();
    }

    style(style: EventStyle): void {
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
        const attached = this.#attached;
        const candles = this.#candles;
        if (attached === null || candles === null || this.#shown.length === 0) return;
        const scale = attached.chart.timeScale();
        const zero = scale.logicalToCoordinate(0 as Logical);
        const one = scale.logicalToCoordinate(1 as Logical);
        if (zero === null || one === null) return;
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
            context.save();
            context.lineWidth = 1;
            for (const event of this.#shown) {
                const x = zero + candles.logical(event.time) * (one - zero);
                const y = attached.series.priceToCoordinate(event.price);
                if (y === null || x < -RADIUS_PX_MAX || x > mediaSize.width + RADIUS_PX_MAX) continue;
                const radius = Math.max(RADIUS_PX_MIN, RADIUS_PX_MAX * Math.sqrt(event.usd / this.#largest));
                context.beginPath();
                context.arc(x, y, radius, 0, 2 * Math.PI);
                context.globalAlpha = 0.35;
                context.fillStyle = event.side === 'long' ? this.#style.long : this.#style.short;
                context.fill();
                context.globalAlpha = 0.9;
                context.strokeStyle = context.fillStyle;
                context.stroke();
            }
            context.restore();
        });
    }
}
