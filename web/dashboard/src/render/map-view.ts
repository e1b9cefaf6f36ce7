/**
 * The liquidation map: bars by price stacked by leverage, the sums growing outwards from the price as curves, the price as
 * a dashed line. Prices run to the right, dollars a bin on the left axis, sums on the right one.
 */
import { formatPrice, priceDecimals, tersestUsd } from '../model/format.ts';
import type { LeverageMap, MapBin } from '../model/liquidation-map.ts';
import type { Theme } from '../model/view.ts';
import { chartColours } from './theme.ts';

/** Low leverage to high: distinct in hue and in lightness, so that they can be told apart without hue. */
const LEVERAGE_COLOURS: Readonly<Record<Theme, readonly string[]>> = {
    dark: ['#4c5fd5', '#3f8fe8', '#35bcd0', '#6fd69a', '#d7dd6a', '#f5a623', '#ff7a59'],
    light: ['#31409e', '#2a6fc2', '#16849a', '#2c8f58', '#8c8a12', '#b86e00', '#c2452a'],
};

export function leverageColour(theme: Theme, index: number, count: number): string {
    const colours = LEVERAGE_COLOURS[theme];
    const place = count <= 1 ? colours.length - 1 : Math.round((index / (count - 1)) * (colours.length - 1));
    return colours[place] ?? colours[0] ?? '#888';
}

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
    #pointer: { x: number; y: number } | null = null;

    constructor(host: HTMLElement, onPoint: (bin: MapBin | null, at: { x: number; y: number }) => void, onResize: () => void) {
        this.canvas = document.createElement('canvas');
        const context = this.canvas.getContext('2d');
        if (context === null) throw new Error('this browser gives no 2d canvas');
        this.#context = context;
        host.append(this.canvas);
        this.canvas.addEventListener('pointermove', (event) => {
            this.#pointer = { x: event.offsetX, y: event.offsetY };
            onPoint(this.#binAt(event.offsetX), this.#pointer);
        });
        this.canvas.addEventListener('pointerleave', () => {
            this.#pointer = null;
            onPoint(null, { x: 0, y: 0 });
        });
        new ResizeObserver(onResize).observe(host);
    }

    size(): { width: number; height: number } {
        return { width: this.canvas.clientWidth, height: this.canvas.clientHeight };
    }

    show(map: LeverageMap | null, theme: Theme): void {
        this.#map = map;
        this.#theme = theme;
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
    }

    #area(): Area {
        const { width, height } = this.size();
        const margin = width < NARROW_PX ? MARGIN_NARROW : MARGIN;
        return {
            left: margin.left, top: margin.top,
            width: width - margin.left - margin.right, height: height - margin.top - margin.bottom,
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
        const decimals = Math.min(priceDecimals(map.price), Math.max(0, -Math.floor(Math.log10(step))));
        context.textAlign = 'center';
        for (let price = Math.ceil(low / step) * step; price <= high; price += step) {
            const x = this.#x(map, area, price);
            context.fillText(formatPrice(price, decimals), x, area.top + area.height + 15);
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
                context.fillStyle = leverageColour(this.#theme, index, map.leverages.length);
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
        const label = formatPrice(map.price, priceDecimals(map.price));
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
