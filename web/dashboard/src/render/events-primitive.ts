/** Liquidations that really happened, as circles whose area is their dollars; drawn above the candles. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time } from 'lightweight-charts';
import type { Candles } from '../model/candles.ts';
import type { Liquidated } from '../wire/answers.ts';
import { barAxis } from './bar-axis.ts';

export interface EventStyle {
    /** Longs that were sold out. */
    long: string;
    /** Shorts that were bought in. */
    short: string;
    ring: string;
}

const RADIUS_PX_MAX = 13;
/** Smaller circles would only be noise. */
const RADIUS_PX_MIN = 2;

/** One circle a candle and side, at the price where most of it happened: single fills would cover each other. */
export function gathered(list: readonly Liquidated[], intervalMs: number): Liquidated[] {
    const sums = new Map<string, Liquidated & { weighted: number }>();
    for (const { time, side, price, usd } of list) {
        const slot = Math.floor(time / intervalMs) * intervalMs;
        const key = `${slot} ${side}`;
        const sum = sums.get(key);
        if (sum === undefined) {
            sums.set(key, { time: slot + intervalMs / 2, side, price, usd, weighted: price * usd });
            continue;
        }
        sum.usd += usd;
        sum.weighted += price * usd;
        sum.price = sum.weighted / sum.usd;
    }
    return [...sums.values()];
}

export class EventsPrimitive implements ISeriesPrimitive<Time>, IPrimitivePaneView, IPrimitivePaneRenderer {
    #attached: SeriesAttachedParameter<Time> | null = null;
    #shown: readonly Liquidated[] = [];
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

    show(list: readonly Liquidated[], candles: Candles | null): void {
        this.#shown = candles === null ? [] : gathered(list, candles.intervalMs);
        this.#largest = this.#shown.reduce((most, { usd }) => Math.max(most, usd), 0);
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
        const axis = barAxis(attached.chart.timeScale());
        if (axis === null) return;
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
            context.save();
            context.lineWidth = 1.25;
            for (const event of this.#shown) {
                const x = axis.x(candles.logical(event.time));
                const y = attached.series.priceToCoordinate(event.price);
                if (y === null || x < -RADIUS_PX_MAX || x > mediaSize.width + RADIUS_PX_MAX) continue;
                const radius = RADIUS_PX_MAX * Math.sqrt(event.usd / this.#largest);
                if (radius < RADIUS_PX_MIN) continue;
                context.beginPath();
                context.arc(x, y, radius, 0, 2 * Math.PI);
                context.globalAlpha = 0.22;
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
