/**
 * The liquidation map: bars by price stacked by leverage, the sums growing outwards from the price as curves, the price as
 * a dashed line. Prices run to the right, dollars a bin on the left axis, sums on the right one.
 */
import { formatPrice, priceDecimals, tersestUsd } from '../model/format.ts';
import type { LeverageMap, MapBin } from '../model/liquidation-map.ts';
import type { Theme } from '../state/view.ts';
import { leverageColour } from './colours.ts';
import { chartColours } from './theme.ts';

interface Area {
    left: number;
    top: number;
    width: number;
    height: number;
}

const MARGIN = { left: 56, right: 60, top: 28, bottom: 28 };
const MARGIN_NARROW = { left: 40, right: 44, top: 26, bottom: 26 };
const NARROW_PX = 600;
const TICK_ROOM_PX = 90;
const GRID_LINES = 4;

export class MapView {
    readonly canvas: HTMLCanvasElement;
    readonly #context: CanvasRenderingContext2D;
    #map: LeverageMap | null = null;
    #theme: Theme = 'dark';
    #decimals = 2;
    #pointer: { x: number; y: number } | null = null;
    readonly #onMoved: () => void;
    readonly #onPoint: (bin: MapBin | null, at: { x: number; y: number }) => void;

    constructor(host: HTMLElement, onPoint: (bin: MapBin | null, at: { x: number; y: number }) => void, redraw: () => void) {
        this.canvas = document.createElement('canvas');
        const context = this.canvas.getContext('2d');
        if (context === null) throw new Error('this browser gives no 2d canvas');
        this.#context = context;
        host.append(this.canvas);
        this.#onPoint = onPoint;
        this.#onMoved = redraw;
        const point = (event: PointerEvent): void => {
            this.#pointer = { x: event.offsetX, y: event.offsetY };
            this.#repoint();
        };
        this.canvas.addEventListener('pointermove', point);
        this.canvas.addEventListener('pointerdown', point);
        this.canvas.addEventListener('pointerleave', (event) => {
            // A lifted finger leaves as well; what it pointed at stays until the next tap.
            if (event.pointerType === 'touch') return;
            this.#pointer = null;
            this.#repoint();
        });
        new ResizeObserver(redraw).observe(host);
    }

    size(): { width: number; height: number } {
        return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    }

    /** Forgets the pointer: another pane is shown. */
    unpoint(): void {
        this.#pointer = null;
    }

    /** `decimals`: of the market's prices. */
    show(map: LeverageMap | null, theme: Theme, decimals: number): void {
        this.#map = map;
        this.#theme = theme;
        this.#decimals = decimals;
        const ratio = window.devicePixelRatio;
        const { width, height } = this.size();
        this.canvas.width = Math.round(width * ratio);
        this.canvas.height = Math.round(height * ratio);
        if (map === null || width === 0) return;
        const context = this.#context;
        const colours = chartColours(theme);
        context.setTransform(ratio, 0, 0, ratio, 0, 0);
        context.fillStyle = colours.background;
        context.fillRect(0, 0, width, height);
        context.font = `11px ${getComputedStyle(this.canvas).fontFamily}`;
        const area = this.#area();
        this.#axes(map, area);
        this.#bars(map, area);
        this.#curve(map, area, 'long', colours.down);
        this.#curve(map, area, 'short', colours.up);
        this.#priceLine(map, area);
        this.#cross(area);
        // The axis has moved with the price, so a resting pointer may be over another bin.
        if (this.#pointer !== null) this.#tellBin(this.#pointer);
    }

    #repoint(): void {
        this.#onMoved();
        if (this.#pointer === null) this.#onPoint(null, { x: 0, y: 0 });
        else this.#tellBin(this.#pointer);
    }

    #tellBin(at: { x: number; y: number }): void {
        this.#onPoint(this.#binAt(at.x), at);
    }

    #area(): Area {
        const { width, height } = this.size();
        const margin = width < NARROW_PX ? MARGIN_NARROW : MARGIN;
        return {
            left: margin.left,
            top: margin.top,
            width: width - margin.left - margin.right,
            height: height - margin.top - margin.bottom,
        };
    }

    #x(map: LeverageMap, area: Area, price: number): number {
        const { low, high } = map;
        return area.left + ((price - low) / (high - low)) * area.width;
    }

    #binAt(x: number): MapBin | null {
        const map = this.#map;
        if (map === null) return null;
        const area = this.#area();
        const { low, high } = map;
        const price = low + ((x - area.left) / area.width) * (high - low);
        return map.bins.find((bin) => price >= bin.price && price < bin.price + map.bin) ?? null;
    }

    #axes(map: LeverageMap, area: Area): void {
        const context = this.#context;
        const colours = chartColours(this.#theme);
        const most = Math.max(map.longUsd, map.shortUsd);
        context.fillStyle = colours.text;
        context.strokeStyle = colours.border;
        context.lineWidth = 1;
        context.textBaseline = 'middle';
        for (let line = 0; line <= GRID_LINES; line++) {
            const share = line / GRID_LINES;
            const y = Math.round(area.top + area.height * (1 - share)) + 0.5;
            context.beginPath();
            context.moveTo(area.left, y);
            context.lineTo(area.left + area.width, y);
            context.stroke();
            context.textAlign = 'right';
            context.fillText(tersestUsd(map.largest * share), area.left - 8, y);
            context.textAlign = 'left';
            context.fillText(tersestUsd(most * share), area.left + area.width + 8, y);
        }
        const { low, high } = map;
        const step = niceStep((high - low) / Math.max(2, area.width / TICK_ROOM_PX));
        const decimals = Math.min(Math.max(this.#decimals, priceDecimals(map.price)), Math.max(0, -Math.floor(Math.log10(step))));
        context.textAlign = 'center';
        for (let tick = Math.ceil(low / step); tick * step <= high; tick++) {
            const x = this.#x(map, area, tick * step);
            const label = formatPrice(tick * step, decimals);
            const half = context.measureText(label).width / 2;
            // A label that does not fit would be cut.
            if (x - half < 0 || x + half > this.size().width) continue;
            context.fillText(label, x, area.top + area.height + 15);
        }
        context.textAlign = 'left';
        context.fillText('USD a bin', 8, 13);
        context.textAlign = 'right';
        context.fillText('cumulative', area.left + area.width + (area.left < 50 ? 40 : 54), 13);
    }

    #bars(map: LeverageMap, area: Area): void {
        const context = this.#context;
        for (const bin of map.bins) {
            const left = this.#x(map, area, bin.price);
            const width = Math.max(1, this.#x(map, area, bin.price + map.bin) - left - 1);
            let y = area.top + area.height;
            bin.usd.forEach((usd, index) => {
                const height = (usd / map.largest) * area.height;
                context.fillStyle = leverageColour(this.#theme, map.leverages[index] ?? 1);
                context.fillRect(left, y - height, width, height);
                y -= height;
            });
        }
    }

    #curve(map: LeverageMap, area: Area, side: 'long' | 'short', colour: string): void {
        const context = this.#context;
        const most = Math.max(map.longUsd, map.shortUsd);
        const bins = map.bins.filter((bin) => bin.side === side);
        // Outwards from the price, like the sums.
        if (side === 'long') bins.reverse();
        if (bins.length === 0 || most === 0) return;
        const floor = area.top + area.height;
        context.beginPath();
        context.moveTo(this.#x(map, area, map.price), floor);
        for (const bin of bins) {
            const x = this.#x(map, area, bin.price + (side === 'short' ? map.bin : 0));
            context.lineTo(x, floor - (bin.cumulative / most) * area.height);
        }
        context.strokeStyle = colour;
        context.lineWidth = 2;
        context.lineJoin = 'round';
        context.stroke();
        context.lineTo(this.#x(map, area, bins.at(-1)?.price ?? map.price), floor);
        context.closePath();
        context.globalAlpha = 0.08;
        context.fillStyle = colour;
        context.fill();
        context.globalAlpha = 1;
    }

    #priceLine(map: LeverageMap, area: Area): void {
        const context = this.#context;
        const colours = chartColours(this.#theme);
        const x = Math.round(this.#x(map, area, map.price)) + 0.5;
        context.strokeStyle = colours.priceLine;
        context.lineWidth = 1;
        context.setLineDash([4, 4]);
        context.beginPath();
        context.moveTo(x, area.top);
        context.lineTo(x, area.top + area.height);
        context.stroke();
        context.setLineDash([]);
        const label = formatPrice(map.price, this.#decimals);
        const width = context.measureText(label).width + 14;
        context.fillStyle = colours.priceLine;
        context.beginPath();
        context.roundRect(x - width / 2, area.top - 22, width, 18, 4);
        context.fill();
        context.fillStyle = colours.background;
        context.textAlign = 'center';
        context.fillText(label, x, area.top - 12.5);
    }

    #cross(area: Area): void {
        const at = this.#pointer;
        if (at === null || at.x < area.left || at.x > area.left + area.width) return;
        const context = this.#context;
        context.strokeStyle = chartColours(this.#theme).crosshair;
        context.setLineDash([3, 3]);
        context.beginPath();
        context.moveTo(at.x + 0.5, area.top);
        context.lineTo(at.x + 0.5, area.top + area.height);
        context.stroke();
        context.setLineDash([]);
    }
}

/** The next of 1, 2, 5 times a power of ten. */
export function niceStep(atLeast: number): number {
    const power = 10 ** Math.floor(Math.log10(atLeast));
    const factor = [1, 2, 5, 10].find((each) => each * power >= atLeast * 0.999) ?? 10;
    return factor * power;
}
