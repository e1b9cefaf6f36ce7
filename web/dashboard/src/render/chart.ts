/**
 * The candle chart with the heat beneath it: everything that knows lightweight-charts stands in this folder.
 *
 * It is told what to show and answers where things are; it decides nothing about data.
 */
import {
    type AutoscaleInfo,
    type CandlestickData,
    CandlestickSeries,
    ColorType,
    CrosshairMode,
    createChart,
    type IChartApi,
    type IPriceLine,
    type ISeriesApi,
    LineStyle,
    type Logical,
    type Time,
    type UTCTimestamp,
    type WhitespaceData,
} from 'lightweight-charts';
import type { Candles } from '../model/candles.ts';
import { formatPrice } from '../model/format.ts';
import type { Heat } from '../model/heat.ts';
import type { Theme, View } from '../model/view.ts';
import type { Liquidation } from '../wire/answers.ts';
import { CoverPrimitive } from './cover-primitive.ts';
import { EventsPrimitive } from './events-primitive.ts';
import { HeatPrimitive } from './heat-primitive.ts';
import type { ProfileLevel } from './profile.ts';
import { Raster } from './raster.ts';
import { chartColours } from './theme.ts';

/** A point of the picture under the pointer; pixels count from the chart's top left corner. */
export interface Pointed {
    x: number;
    y: number;
    time: number;
    price: number;
}

export type Look = Pick<View, 'scale' | 'colours' | 'threshold' | 'theme' | 'side' | 'swept'>;

/** The candles' own span is widened by this share of itself, and at least by this share of the price. */
const PAD_SPAN_SHARE = 0.45;
const PAD_PRICE_SHARE = 0.02;
const RIGHT_SPACE_SHARE = 0.11;
/** A finger that moved less has tapped. */
const TAP_PX_MAX = 10;

type Bar = CandlestickData<Time> | WhitespaceData<Time>;

export class HeatChart {
    readonly #chart: IChartApi;
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #heatLayer = new HeatPrimitive();
    readonly #eventLayer = new EventsPrimitive();
    readonly #cover = new CoverPrimitive();
    readonly #priceLine: IPriceLine;
    readonly #resize: ResizeObserver;
    #candles: Candles | null = null;
    #heat: Heat | null = null;
    #raster: Raster | null = null;
    /** Open time of the newest bar that the chart knows. */
    #newestBar = 0;
    #look: Look;
    /** Where the pointer rests, CSS pixels from the pane's corner. */
    #pointer: { x: number; y: number } | null = null;
    /** A tap stays until the next one, a mouse goes with its pointer. */
    #tapped = false;
    #onPoint: () => void = () => {};

    constructor(container: HTMLElement, look: Look) {
        this.#look = look;
        this.#chart = createChart(container, {
            width: container.clientWidth,
            height: container.clientHeight,
            layout: { attributionLogo: false, fontSize: 11, fontFamily: getComputedStyle(container).fontFamily },
            crosshair: { mode: CrosshairMode.Normal },
            timeScale: { timeVisible: true, secondsVisible: false, minBarSpacing: 0.05, rightOffset: 0 },
            rightPriceScale: { scaleMargins: { top: 0, bottom: 0 }, minimumWidth: 64, entireTextOnly: true },
            localization: { locale: 'en-GB' },
            handleScale: { axisPressedMouseMove: { time: true, price: true } },
        });
        this.#series = this.#chart.addSeries(CandlestickSeries, {
            // The chart's own line is that of the newest visible bar; the price now has a line of its own.
            priceLineVisible: false,
            lastValueVisible: false,
            autoscaleInfoProvider: (own: () => AutoscaleInfo | null) => this.#widened(own()),
        });
        this.#series.attachPrimitive(this.#heatLayer);
        this.#series.attachPrimitive(this.#eventLayer);
        // Last, so that it covers the others.
        this.#series.attachPrimitive(this.#cover);
        this.#priceLine = this.#series.createPriceLine({
            price: 0,
            lineWidth: 1,
            lineStyle: LineStyle.Dashed,
            axisLabelVisible: false,
            lineVisible: false,
        });
        this.#applyTheme(look.theme);
        this.#resize = new ResizeObserver(() => {
            this.#chart.resize(container.clientWidth, container.clientHeight);
        });
        this.#resize.observe(container);
        this.#chart.subscribeCrosshairMove(({ point }) => this.#pointAt(point));
        this.#listenToTaps(container);
    }

    destroy(): void {
        this.#resize.disconnect();
        this.#chart.remove();
    }

    /** Shows another picture. `keepView` leaves pan and zoom as they are (the same symbol and range, fetched again). */
    show(heat: Heat, candles: Candles, decimals: number, keepView: boolean): void {
        const visible = this.#chart.timeScale().getVisibleLogicalRange();
        const shift = this.#candles === null ? 0 : candles.logical(this.#candles.first) + 0.5;
        this.#heat = heat;
        this.#candles = candles;
        this.#raster = new Raster(heat, this.#look, (from, to) => candles.reach(from, to));
        this.#raster.restyle(this.#look);
        this.#series.applyOptions({
            priceFormat: {
                type: 'custom',
                minMove: 10 ** -decimals,
                formatter: (price: number) => formatPrice(price, decimals),
            },
        });
        this.#newestBar = candles.last();
        this.#series.setData([...candles.bars()].map(({ time, candle }) => barOf(time, candle)));
        this.#heatLayer.show({
            heat,
            raster: this.#raster,
            logical: (time) => candles.logical(time),
            end: () => candles.logical(candles.last() + candles.intervalMs),
        });
        if (keepView && visible !== null) {
            const range = { from: visible.from + shift, to: visible.to + shift };
            this.#chart.timeScale().setVisibleLogicalRange(range);
        } else this.fit();
    }

    /** Empties the chart. */
    clear(): void {
        this.#heat = null;
        this.#candles = null;
        this.#raster = null;
        this.#series.setData([]);
        this.#heatLayer.show(null);
        this.#eventLayer.show([], null);
        this.#priceLine.applyOptions({ lineVisible: false, axisLabelVisible: false });
    }

    /** The whole range, with room for the live edge. */
    fit(): void {
        const heat = this.#heat;
        const candles = this.#candles;
        if (heat === null || candles === null) return;
        // Where the data has a hole at the beginning, the picture begins after it.
        const from = candles.logical(Math.max(heat.start(), candles.firstTime()));
        const to = candles.logical(heat.start() + heat.columns() * heat.columnMs());
        this.#chart.timeScale().setVisibleLogicalRange({ from, to: to + (to - from) * RIGHT_SPACE_SHARE });
        this.#chart.priceScale('right').applyOptions({ autoScale: true });
    }

    restyle(look: Look): void {
        if (look.theme !== this.#look.theme) this.#applyTheme(look.theme);
        this.#look = look;
        this.#raster?.restyle(look);
        this.#heatLayer.redraw();
    }

    /** Shows the picture as it was at the end of a candle; null for now. */
    until(moment: number | null): void {
        this.#heatLayer.until(moment);
        const logical = moment === null || this.#candles === null ? null : this.#candles.logical(moment);
        this.#cover.show(logical, (target) => this.#heatLayer.drawBars(target));
    }

    /** Draws what changed in the heat and in these bars. */
    refresh(changedBars: readonly number[]): void {
        for (const time of changedBars) {
            // The chart wants to be told whether a bar stands before its newest one or comes after it.
            this.#series.update(barOf(time, this.#candles?.at(time)), time < this.#newestBar);
            this.#newestBar = Math.max(this.#newestBar, time);
        }
        if (this.#raster?.refresh() === true) this.#heatLayer.redraw();
    }

    price(price: number): void {
        this.#priceLine.applyOptions({ price, lineVisible: true, axisLabelVisible: true });
    }

    profile(levels: readonly ProfileLevel[], baseBin: number): void {
        this.#heatLayer.profile(levels, baseBin);
    }

    events(list: readonly Liquidation[]): void {
        this.#eventLayer.show(list, this.#candles);
    }

    scale(): ReturnType<Raster['scale']> | null {
        return this.#raster?.scale() ?? null;
    }

    /** Moves by a share of what is visible: positive to later times. */
    pan(share: number): void {
        const scale = this.#chart.timeScale();
        const visible = scale.getVisibleLogicalRange();
        if (visible === null) return;
        const move = (visible.to - visible.from) * share;
        scale.setVisibleLogicalRange({ from: visible.from + move, to: visible.to + move });
    }

    /** Zooms about the right edge; a factor below 1 shows less time. */
    zoom(factor: number): void {
        const scale = this.#chart.timeScale();
        const visible = scale.getVisibleLogicalRange();
        if (visible === null) return;
        const span = Math.max(5, (visible.to - visible.from) * factor);
        scale.setVisibleLogicalRange({ from: visible.to - span, to: visible.to });
    }

    /** `handler` is called when the pointer comes, moves or goes. */
    onPoint(handler: () => void): void {
        this.#onPoint = handler;
    }

    /** What is under the pointer now: a resting pointer is over something else once the chart has moved. */
    pointed(): Pointed | null {
        if (this.#pointer === null || this.#candles === null) return null;
        const { x, y } = this.#pointer;
        const scale = this.#chart.timeScale();
        const zero = scale.logicalToCoordinate(0 as Logical);
        const one = scale.logicalToCoordinate(1 as Logical);
        const price = this.#series.coordinateToPrice(y);
        if (zero === null || one === null || price === null) return null;
        return { x, y, time: this.#candles.timeAt((x - zero) / (one - zero)), price };
    }

    screenshot(): HTMLCanvasElement {
        return this.#chart.takeScreenshot(true);
    }

    /** Width and height of the drawing area without the axes, in CSS pixels. */
    paneSize(): { width: number; height: number } {
        return this.#chart.paneSize();
    }

    #pointAt(point: { x: number; y: number } | undefined): void {
        if (point === undefined && this.#tapped) return;
        if (point !== undefined) this.#tapped = false;
        this.#pointer = point === undefined ? null : { x: point.x, y: point.y };
        this.#onPoint();
    }

    /** The library shows its cross to a finger only after a long press; a tap points as well. */
    #listenToTaps(container: HTMLElement): void {
        let began: { x: number; y: number } | null = null;
        container.addEventListener('pointerdown', ({ pointerType, isPrimary, clientX, clientY }) => {
            began = pointerType === 'touch' && isPrimary ? { x: clientX, y: clientY } : null;
        });
        container.addEventListener('pointerup', ({ clientX, clientY }) => {
            if (began === null || Math.hypot(clientX - began.x, clientY - began.y) > TAP_PX_MAX) return;
            const { left, top } = container.getBoundingClientRect();
            const { width, height } = this.#chart.paneSize();
            const at = { x: clientX - left, y: clientY - top };
            if (at.x > width || at.y > height) return;
            const again = this.#tapped && this.#pointer !== null && Math.hypot(at.x - this.#pointer.x, at.y - this.#pointer.y) < TAP_PX_MAX;
            this.#tapped = !again;
            this.#pointer = again ? null : at;
            this.#onPoint();
        });
    }

    #widened(own: AutoscaleInfo | null): AutoscaleInfo | null {
        if (own === null || own.priceRange === null) return own;
        const { minValue, maxValue } = own.priceRange;
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

    #applyTheme(theme: Theme): void {
        const colours = chartColours(theme);
        this.#chart.applyOptions({
            layout: { background: { type: ColorType.Solid, color: colours.background }, textColor: colours.text },
            grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
            rightPriceScale: { borderColor: colours.border },
            timeScale: { borderColor: colours.border },
            crosshair: {
                vertLine: { color: colours.crosshair, labelBackgroundColor: colours.crosshairLabel },
                horzLine: { color: colours.crosshair, labelBackgroundColor: colours.crosshairLabel },
            },
        });
        this.#series.applyOptions({
            upColor: colours.up,
            downColor: colours.down,
            borderUpColor: colours.up,
            borderDownColor: colours.down,
            wickUpColor: colours.up,
            wickDownColor: colours.down,
        });
        this.#priceLine.applyOptions({
            color: colours.priceLine,
            axisLabelColor: colours.priceLine,
            axisLabelTextColor: colours.background,
        });
        this.#heatLayer.style({ long: colours.long, short: colours.short, edge: colours.edge });
        this.#cover.style({ ground: colours.background, line: colours.crosshair });
        this.#eventLayer.style({ long: colours.down, short: colours.up, ring: colours.background });
    }
}

function barOf(time: number, candle: { open: number; high: number; low: number; close: number } | undefined): Bar {
    const at = (time / 1000) as UTCTimestamp;
    if (candle === undefined) return { time: at };
    const { open, high, low, close } = candle;
    return { time: at, open, high, low, close };
}
