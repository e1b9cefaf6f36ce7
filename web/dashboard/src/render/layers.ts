/** Everything that is drawn on the chart besides candles, in the order in which it lies on each other. */
import type { ISeriesApi } from 'lightweight-charts';
import type { Candles } from '../model/candles.ts';
import { CoverPrimitive } from './cover-primitive.ts';
import { CoveragePrimitive } from './coverage-primitive.ts';
import { EventsPrimitive } from './events-primitive.ts';
import { GroundPrimitive } from './ground-primitive.ts';
import { HeatPrimitive } from './heat-primitive.ts';
import { SeamPrimitive } from './seam-primitive.ts';
import type { ChartColours } from './theme.ts';
import { VeilPrimitive } from './veil-primitive.ts';

export class Layers {
    readonly ground = new GroundPrimitive();
    readonly heat = new HeatPrimitive();
    readonly veil = new VeilPrimitive();
    readonly seams = new SeamPrimitive();
    readonly coverage = new CoveragePrimitive();
    readonly events = new EventsPrimitive();
    readonly cover = new CoverPrimitive();

    constructor(series: ISeriesApi<'Candlestick'>) {
        const { ground, heat, veil, seams, coverage, events, cover } = this;
        // The cover last, so that it hides the others.
        for (const each of [ground, heat, veil, seams, coverage, events, cover]) series.attachPrimitive(each);
    }

    /** The candles that times are placed by; null empties all. */
    place(candles: Candles | null): void {
        for (const each of [this.ground, this.veil, this.seams, this.coverage]) each.show(candles);
        if (candles !== null) return;
        this.heat.show(null, []);
        this.events.show([], null);
    }

    /** What the server has: from its first bar up to now. */
    reach(first: number, now: number): void {
        this.ground.reach(first, now);
        this.veil.reach(first, now);
    }

    style({ background: ground, text, border, crosshair, long, short, edge, up, down }: ChartColours): void {
        this.ground.style({ line: border, text, ground });
        this.heat.style({ long, short, edge });
        this.veil.style({ ground, text });
        this.seams.style({ ground, line: crosshair, text });
        this.coverage.style({ ground, text, long, short });
        this.cover.style({ ground, line: crosshair });
        this.events.style({ long: down, short: up, ring: ground });
    }
}
