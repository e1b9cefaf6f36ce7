/** What is drawn on the chart besides its series: how it is attached, styled, ordered and asked to draw again. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { IPrimitivePaneRenderer, IPrimitivePaneView, ISeriesPrimitive, SeriesAttachedParameter, Time } from 'lightweight-charts';
import { type BarAxis, barAxis } from './bar-axis.ts';

export type Attached = SeriesAttachedParameter<Time>;

export abstract class ChartPrimitive<Style> implements ISeriesPrimitive<Time>, IPrimitivePaneView, IPrimitivePaneRenderer {
    protected chart: Attached | null = null;
    protected colours: Style;
    readonly #order: 'bottom' | 'top';
    readonly #views = [this];

    /** `order`: beneath the candles, or above them; among those of one order, whoever is attached first is drawn first. */
    constructor(order: 'bottom' | 'top', colours: Style) {
        this.#order = order;
        this.colours = colours;
    }

    abstract draw(target: CanvasRenderingTarget2D): void;

    attached(param: Attached): void {
        this.chart = param;
    }

    detached(): void {
        this.chart = null;
    }

    style(colours: Style): void {
        this.colours = colours;
        this.redraw();
    }

    /** Asks the chart for one more frame; the chart merges requests. */
    redraw(): void {
        this.chart?.requestUpdate();
    }

    /** Where bars are on the screen; null while nothing is shown. */
    protected axis(): BarAxis | null {
        return this.chart === null ? null : barAxis(this.chart.chart.timeScale());
    }

    paneViews(): readonly IPrimitivePaneView[] {
        return this.#views;
    }

    zOrder(): 'bottom' | 'top' {
        return this.#order;
    }

    renderer(): IPrimitivePaneRenderer {
        return this;
    }
}
