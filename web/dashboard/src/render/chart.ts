/**
 * The candle chart with the heat beneath it: everything that knows lightweight-charts stands in this folder.
 *
 * It shows what it is given and answers where things are; it decides nothing about data.
 */
import {
    type AutoscaleInfo,
    type CandlestickData,
    CandlestickSeries,
    createChart,
    type IChartApi,
    type ISeriesApi,
    type Time,
    type UTCTimestamp,
    type WhitespaceData,
} from 'lightweight-charts';
import type { Candles } from '../model/candles.ts';
import type { Coverage } from '../model/coverage.ts';
import { formatPrice } from '../model/format.ts';
import type { Heat } from '../model/heat.ts';
import { barsMaxIn } from '../model/room.ts';
import type { Seam } from '../model/seams.ts';
import type { StudyPoint } from '../model/studies.ts';
import type { Viewport } from '../model/tile-plan.ts';
import type { DrawnView, Theme, TimeSpan } from '../state/view.ts';
import type { Liquidation } from '../wire/answers.ts';
import { barAxis } from './bar-axis.ts';
import { AXIS_MODES, candleOptions, fixedOptions, themeOptions, zoneOptions } from './chart-options.ts';
import type { Layer } from './heat-primitive.ts';
import { Layers } from './layers.ts';
import { ChartPointer } from './pointer.ts';
import { PriceLines } from './price-lines.ts';
import type { ProfileLevel } from './profile.ts';
import { Raster } from './raster.ts';
import { Studies } from './studies.ts';
import { chartColours } from './theme.ts';

/** A point of the picture under the pointer; pixels count from the chart's top left corner. */
export interface Pointed {
    x: number;
    y: number;
    time: number;
    price: number;
}

export type Look = Pick<DrawnView, 'scale' | 'colours' | 'threshold' | 'theme' | 'side' | 'swept' | 'near' | 'axis' | 'zone' | 'studies'>;

/** The candles' own span is widened by this share of itself, and at least by this share of the price. */
const PAD_SPAN_SHARE = 0.45;
const PAD_PRICE_SHARE = 0.02;
const RIGHT_SPACE_SHARE = 0.11;

/** Pictures from before that are kept beneath. */
const UNDER_MAX = 2;

type Bar = CandlestickData<Time> | WhitespaceData<Time>;

/** A picture and the candles over it. */
export interface Shown {
    heat: Heat;
    candles: Candles;
    /** Reaches up to now. */
    isLive: boolean;
}

export class HeatChart {
    readonly #container: HTMLElement;
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #layers: Layers;
    readonly #lines: PriceLines;
    readonly #pointer: ChartPointer;
    readonly #resize: ResizeObserver;
    #candles: Candles | null = null;
    #heat: Heat | null = null;
    #raster: Raster | null = null;
    /** Open times of the oldest and the newest bar that the chart knows. */
    #oldestBar = 0;
    #newestBar = 0;
    /** Bars are being replaced: what is visible meanwhile was chosen by nobody. */
    #isFilling = false;
    #look: Look;
    #onPoint: () => void = () => {};
    /** A person has panned or zoomed, so that the view is no longer the whole range. */
    #moved = false;
    #onSpan: (span: TimeSpan) => void = () => {};
    #onHold: (isHeld: boolean) => void = () => {};
    #onMenu: (point: Pointed) => void = () => {};
    #onCross: (time: number | null) => void = () => {};
    /** The cross stands where another chart has it. */
    #isCrossSet = false;
    /** What is looked back to; null for now. */
    #until: number | null = null;
    #shown: Layer | null = null;
    /** Pictures from before, the newest last; they show where the newer ones do not reach. */
    readonly #under: Layer[] = [];
    readonly #studies: Studies;

    constructor(container: HTMLElement, look: Look) {
        this.#look = look;
        this.#container = container;
        this.#chart = createChart(container, fixedOptions(container));
        this.#series = this.#chart.addSeries(CandlestickSeries, {
            // The chart's own line is that of the newest visible bar; the price now has a line of its own.
            priceLineVisible: false,
            lastValueVisible: false,
            autoscaleInfoProvider: (own: () => AutoscaleInfo | null) => this.#widened(own()),
        });
        this.#layers = new Layers(this.#series);
        this.#lines = new PriceLines(this.#series);
        this.#studies = new Studies(this.#chart, container);
        this.#applyTheme(look.theme);
        this.#applyAxes(look);
        this.#studies.choose(look.studies, look.theme);
        this.#resize = new ResizeObserver(() => {
            this.#chart.resize(container.clientWidth, container.clientHeight);
        });
        this.#resize.observe(container);
        this.#chart.subscribeCrosshairMove(({ point, paneIndex, time, sourceEvent }) => {
            // A cross that was set from elsewhere points at nothing here.
            if (this.#isCrossSet && sourceEvent === undefined) return this.#studies.tell(time === undefined ? null : Number(time) * 1000);
            this.#isCrossSet = false;
            this.#onCross(time === undefined ? null : Number(time) * 1000);
            this.#studies.tell(time === undefined ? null : Number(time) * 1000);
            this.#pointer.crossed((paneIndex ?? 0) === 0 ? point : undefined);
        });
        this.#pointer = new ChartPointer(container, {
            size: () => this.#chart.paneSize(0),
            pointed: () => this.#onPoint(),
            held: (isHeld) => this.#onHold(isHeld),
            moved: () => {
                this.#moved = true;
            },
            menu: ({ x, y }) => {
                const point = this.at(x, y);
                if (point !== null) this.#onMenu(point);
            },
        });
        this.#chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
            if (this.#isFilling) return;
            if (this.#pointer.place() !== null) this.#onPoint();
            if (!this.#moved || range === null || this.#candles === null) return;
            this.#onSpan({ from: this.#candles.timeAt(range.from), to: this.#candles.timeAt(range.to) });
        });
    }

    destroy(): void {
        this.#resize.disconnect();
        this.#studies.destroy();
        this.#chart.remove();
    }

    /** Shows another picture. `keepView` leaves pan and zoom as they are, and the pictures before beneath it until it covers them. */
    show({ heat, candles, isLive }: Shown, decimals: number, keepView: boolean): void {
        const before = keepView ? this.#visibleTime() : null;
        if (!keepView) this.#under.length = 0;
        else if (this.#shown !== null && this.#shown.heat !== heat) {
            this.#under.push(this.#shown);
            if (this.#under.length > UNDER_MAX) this.#under.shift();
        }
        this.#heat = heat;
        this.#candles = candles;
        this.#raster = new Raster(heat, this.#look, (from, to) => candles.reach(from, to));
        this.#raster.restyle(this.#look);
        this.#fill(candles, decimals);
        this.#shown = { heat, raster: this.#raster };
        this.#layers.heat.show(
            {
                ...this.#shown,
                isLive,
                logical: (time) => candles.logical(time),
                end: () => candles.logical(candles.last() + candles.intervalMs),
            },
            this.#under,
        );
        if (before !== null) {
            this.#chart.timeScale().setVisibleLogicalRange({ from: candles.logical(before.from), to: candles.logical(before.to) });
        } else this.fit();
    }

    /** Candles alone, all of them, while what lies under them is on its way. */
    preview(candles: Candles, decimals: number): void {
        this.clear();
        this.#candles = candles;
        this.#moved = false;
        this.#fill(candles, decimals);
        const length = candles.logical(candles.last() + candles.intervalMs);
        this.#chart.timeScale().setVisibleLogicalRange({ from: candles.logical(candles.first), to: length * (1 + RIGHT_SPACE_SHARE) });
        this.#chart.priceScale('right').applyOptions({ autoScale: true });
    }

    #fill(candles: Candles, decimals: number): void {
        this.#series.applyOptions({
            priceFormat: {
                type: 'custom',
                minMove: 10 ** -decimals,
                formatter: (price: number) => formatPrice(price, decimals),
            },
        });
        // The library (5.2.1) mixes up its bars where the only series gets the very times that it has, and another one comes after it.
        const hasTimes = this.#oldestBar === candles.first && this.#newestBar === candles.last();
        this.#isFilling = true;
        if (hasTimes) this.#series.setData([]);
        this.#series.setData([...candles.bars()].map(({ time, candle }) => barOf(time, candle)));
        this.#isFilling = false;
        this.#oldestBar = candles.first;
        this.#newestBar = candles.last();
        this.#layers.place(candles);
    }

    /** What the chart shows; null before the first picture. */
    viewport(): Viewport | null {
        const time = this.#visibleTime();
        const { width, height } = this.#chart.paneSize(0);
        const high = this.#series.coordinateToPrice(0);
        const low = this.#series.coordinateToPrice(height);
        if (time === null || high === null || low === null || !(high > low)) return null;
        return { ...time, low: Math.max(0, low), high, width, height };
    }

    #visibleTime(): TimeSpan | null {
        const visible = this.#chart.timeScale().getVisibleLogicalRange();
        const candles = this.#candles;
        return visible === null || candles === null ? null : { from: candles.timeAt(visible.from), to: candles.timeAt(visible.to) };
    }

    /** Whether a person has panned or zoomed, so that the view is no longer the whole range. */
    isMoved(): boolean {
        return this.#moved;
    }

    /** `handler` hears when a pointer takes hold of the chart and when it lets go. */
    onHold(handler: (isHeld: boolean) => void): void {
        this.#onHold = handler;
    }

    /** `handler` hears where somebody asks for a menu: with a right click, or a long press. */
    onMenu(handler: (point: Pointed) => void): void {
        this.#onMenu = handler;
    }

    /** `handler` hears of the bar that a pointer crosses; null when it leaves. */
    onCross(handler: (time: number | null) => void): void {
        this.#onCross = handler;
    }

    /** Shows the cross of another chart at a time; null takes it away. */
    cross(time: number | null): void {
        const candles = this.#candles;
        const bar = time === null || candles === null ? null : Math.floor(time / candles.intervalMs) * candles.intervalMs;
        const price = bar === null ? undefined : candles?.at(bar)?.close;
        this.#isCrossSet = true;
        if (bar === null || price === undefined) this.#chart.clearCrosshairPosition();
        else this.#chart.setCrosshairPosition(price, (bar / 1000) as UTCTimestamp, this.#series);
    }

    /** What the panes under the chart show. */
    studies(points: readonly StudyPoint[], failure: string | null): void {
        this.#studies.show(points, failure);
    }

    /** What the server has: from its first bar up to now. */
    reach(first: number, now: number): void {
        this.#layers.reach(first, now);
    }

    /** `assumedAt`: the part of the positions at a time that the model did not see being opened, 0..1. */
    assumed(assumedAt: (time: number) => number): void {
        this.#layers.veil.assumed(assumedAt);
    }

    /** How much of the market is measured, up to the end of the picture; null of an estimate. */
    coverage(coverage: Coverage | null, end: number): void {
        this.#layers.coverage.covered(coverage, end);
        this.#layers.ground.unmeasured(coverage?.holes(end) ?? []);
    }

    /** Where venues joined the sum that is shown. */
    seams(seams: readonly Seam[]): void {
        this.#layers.seams.seams(seams);
    }

    /** Empties the chart. */
    clear(): void {
        this.#heat = null;
        this.#candles = null;
        this.#raster = null;
        this.#series.setData([]);
        this.#shown = null;
        this.#under.length = 0;
        this.#layers.place(null);
        this.#lines.now(null);
        this.#lines.alerts([]);
        this.markPrice(null);
    }

    /** The whole range, with room for the live edge. */
    fit(): void {
        const heat = this.#heat;
        const candles = this.#candles;
        this.#moved = false;
        if (heat === null || candles === null) return;
        // Where the data has a hole at the beginning, the picture begins after it.
        const from = candles.logical(Math.max(heat.start(), candles.firstTime()));
        const to = candles.logical(heat.start() + heat.columns() * heat.columnMs());
        this.#chart.timeScale().setVisibleLogicalRange({ from, to: to + (to - from) * RIGHT_SPACE_SHARE });
        this.#chart.priceScale('right').applyOptions({ autoScale: true });
    }

    restyle(look: Look): void {
        if (look.theme !== this.#look.theme) this.#applyTheme(look.theme);
        if (look.axis !== this.#look.axis || look.zone !== this.#look.zone) this.#applyAxes(look);
        this.#studies.choose(look.studies, look.theme);
        this.#look = look;
        this.#raster?.restyle(look);
        // They were coloured for the look before.
        this.#under.length = 0;
        this.#layers.heat.redraw();
    }

    /** Shows the picture as it was at the end of a candle; null for now. */
    until(moment: number | null): void {
        this.#until = moment;
        this.#layers.heat.until(moment);
        const logical = moment === null || this.#candles === null ? null : this.#candles.logical(moment);
        this.#layers.cover.show(logical, (target) => this.#layers.heat.drawBars(target));
    }

    /** Draws what changed in the heat and in these bars. */
    refresh(changedBars: readonly number[]): void {
        for (const time of changedBars) {
            // The chart distinguishes bars before its newest one from later ones.
            this.#series.update(barOf(time, this.#candles?.at(time)), time < this.#newestBar);
            this.#newestBar = Math.max(this.#newestBar, time);
        }
        if (this.#raster?.refresh() === true) this.#layers.heat.redraw();
    }

    /** The line of the price; null takes it away. */
    price(price: number | null): void {
        this.#lines.now(price);
    }

    profile(levels: readonly ProfileLevel[], baseBin: number): void {
        this.#layers.heat.profile(levels, baseBin);
    }

    events(list: readonly Liquidation[]): void {
        this.#layers.events.show(list, this.#candles);
    }

    scale(): ReturnType<Raster['scale']> | null {
        return this.#raster?.scale() ?? null;
    }

    /** Moves by a share of what is visible: positive to later times. */
    pan(share: number): void {
        const scale = this.#chart.timeScale();
        const visible = scale.getVisibleLogicalRange();
        if (visible === null) return;
        this.#moved = true;
        const move = (visible.to - visible.from) * share;
        scale.setVisibleLogicalRange({ from: visible.from + move, to: visible.to + move });
    }

    /** Zooms about the right edge; a factor below 1 shows less time. */
    zoom(factor: number): void {
        const scale = this.#chart.timeScale();
        const visible = scale.getVisibleLogicalRange();
        if (visible === null) return;
        this.#moved = true;
        const span = Math.max(5, (visible.to - visible.from) * factor);
        scale.setVisibleLogicalRange({ from: visible.to - span, to: visible.to });
    }

    /** `handler` is called when the pointer comes, moves or goes. */
    onPoint(handler: () => void): void {
        this.#onPoint = handler;
    }

    /** What is under the pointer now: a resting pointer is over something else once the chart has moved. */
    pointed(): Pointed | null {
        const place = this.#pointer.place();
        return place === null ? null : this.at(place.x, place.y);
    }

    /** Time and price at a place of the pane, CSS pixels from its corner. */
    at(x: number, y: number): Pointed | null {
        if (this.#candles === null) return null;
        const axis = barAxis(this.#chart.timeScale());
        const price = this.#series.coordinateToPrice(y);
        if (axis === null || price === null) return null;
        return { x, y, time: this.#candles.timeAt(axis.bar(x)), price };
    }

    screenshot(): HTMLCanvasElement {
        return this.#chart.takeScreenshot(true);
    }

    /** How many candles there is room for; also before the chart has been laid out for the first time, when the size of its pane is not known. */
    barsMax(): number {
        return barsMaxIn(this.#container.clientWidth, this.#chart.priceScale('right').width());
    }

    /** Width and height of the drawing area without the axes, in CSS pixels. */
    paneSize(): { width: number; height: number } {
        return this.#chart.paneSize(0);
    }

    #widened(own: AutoscaleInfo | null): AutoscaleInfo | null {
        if (own === null || own.priceRange === null) return own;
        const { minValue, maxValue } = this.#knownRange() ?? own.priceRange;
        const pad = Math.max((maxValue - minValue) * PAD_SPAN_SHARE, maxValue * PAD_PRICE_SHARE);
        const header = this.#heat?.header;
        const low = header === undefined ? -Infinity : header.price_low;
        const high = header === undefined ? Infinity : header.price_low + header.bin * header.rows;
        return {
            ...own,
            priceRange: {
                minValue: Math.min(minValue, Math.max(low, minValue - pad)),
                maxValue: Math.max(maxValue, Math.min(high, maxValue + pad)),
            },
        };
    }

    /** The prices that are visible and not later than what is looked back to: the axis does not give away what came then. */
    #knownRange(): { minValue: number; maxValue: number } | null {
        const visible = this.#until === null ? null : this.#visibleTime();
        const reach = visible === null ? null : (this.#candles?.reach(visible.from, Math.min(visible.to, this.#until ?? 0)) ?? null);
        return reach === null ? null : { minValue: reach.low, maxValue: reach.high };
    }

    /** `handler` hears of the stretch of time that a person panned or zoomed to. */
    onSpan(handler: (span: TimeSpan) => void): void {
        this.#onSpan = handler;
    }

    /** Whether there are candles from the beginning to the end of a stretch of time. */
    covers({ from, to }: TimeSpan): boolean {
        const candles = this.#candles;
        return candles !== null && candles.first <= from + candles.intervalMs && candles.last() + 2 * candles.intervalMs >= to;
    }

    /** Shows a stretch of time; null for the whole range. */
    showSpan(span: TimeSpan | null): void {
        if (span === null || this.#candles === null) return this.fit();
        const { from, to } = span;
        this.#chart.timeScale().setVisibleLogicalRange({ from: this.#candles.logical(from), to: this.#candles.logical(to) });
        this.#moved = true;
    }

    /** A line at a price, with the price in view; null takes it away. */
    markPrice(price: number | null, title = ''): void {
        this.#lines.mark(price, title);
        if (price === null) return;
        const scale = this.#chart.priceScale('right');
        const visible = scale.getVisibleRange();
        if (visible === null || this.#look.axis !== 'linear' || (price > visible.from && price < visible.to)) return;
        const room = (visible.to - visible.from) * 0.05;
        scale.setVisibleRange({ from: Math.min(visible.from, price - room), to: Math.max(visible.to, price + room) });
    }

    /** Prices that alerts wait for. */
    alerts(prices: readonly number[]): void {
        this.#lines.alerts(prices);
    }

    #applyAxes({ axis, zone }: Pick<Look, 'axis' | 'zone'>): void {
        this.#chart.priceScale('right').applyOptions({ mode: AXIS_MODES[axis] });
        this.#chart.applyOptions(zoneOptions(zone));
    }

    #applyTheme(theme: Theme): void {
        const colours = chartColours(theme);
        this.#chart.applyOptions(themeOptions(colours));
        this.#series.applyOptions(candleOptions(colours));
        this.#lines.style(colours);
        this.#layers.style(colours);
    }
}

function barOf(time: number, candle: { open: number; high: number; low: number; close: number } | undefined): Bar {
    const at = (time / 1000) as UTCTimestamp;
    if (candle === undefined) return { time: at };
    const { open, high, low, close } = candle;
    return { time: at, open, high, low, close };
}
