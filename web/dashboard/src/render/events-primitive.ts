/** Liquidations that really happened, as circles whose area is their dollars; drawn above the candles. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Candles } from '../model/candles.ts';
import type { Liquidated } from '../wire/answers.ts';
import { ChartPrimitive } from './chart-primitive.ts';

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

export class EventsPrimitive extends ChartPrimitive<EventStyle> {
    #shown: readonly Liquidated[] = [];
    #candles: Candles | null = null;
    #largest = 1;

    constructor() {
        super('top', { long: '#f00', short: '#0f0', ring: '#000' });
    }

    show(list: readonly Liquidated[], candles: Candles | null): void {
        this.#shown = candles === null ? [] : gathered(list, candles.intervalMs);
        this.#largest = this.#shown.reduce((most, { usd }) => Math.max(most, usd), 0);
        this.#candles = candles;
        this.redraw();
    }

    draw(target: CanvasRenderingTarget2D): void {
        const series = this.chart?.series;
        const candles = this.#candles;
        const axis = this.axis();
        if (series === undefined || candles === null || axis === null || this.#shown.length === 0) return;
        target.useMediaCoordinateSpace(({ context, mediaSize }) => {
            context.save();
            context.lineWidth = 1.25;
            for (const event of this.#shown) {
                const x = axis.x(candles.logical(event.time));
                const y = series.priceToCoordinate(event.price);
                if (y === null || x < -RADIUS_PX_MAX || x > mediaSize.width + RADIUS_PX_MAX) continue;
                const radius = RADIUS_PX_MAX * Math.sqrt(event.usd / this.#largest);
                if (radius < RADIUS_PX_MIN) continue;
                context.beginPath();
                context.arc(x, y, radius, 0, 2 * Math.PI);
                context.globalAlpha = 0.22;
                context.fillStyle = event.side === 'long' ? this.colours.long : this.colours.short;
                context.fill();
                context.globalAlpha = 0.9;
                context.strokeStyle = context.fillStyle;
                context.stroke();
            }
            context.restore();
        });
    }
}
