/** Shift and drag in the heatmap: how far, how long, and what would be liquidated on the way. */
import { compactUsd, formatAge, formatPrice, signedPercent } from '../model/format.ts';
import type { Heat, SideFilter } from '../model/heat.ts';
import { element } from './dom.ts';

export interface MeasuredPoint {
    x: number;
    y: number;
    time: number;
    price: number;
}

export interface MeasureSource {
    /** Time and price at a place of the chart; null where there is none. */
    at(x: number, y: number): MeasuredPoint | null;
    heat(): Heat | null;
    side(): SideFilter;
    decimals(): number;
}

/** What lies between two points, in words. The levels that count are those of the first point's time. */
export function measured(from: MeasuredPoint, to: MeasuredPoint, heat: Heat | null, side: SideFilter, decimals: number): string[] {
    const lines = [
        `${signedPercent(to.price / from.price - 1)} · ${formatPrice(to.price - from.price, decimals)}`,
        `${to.time < from.time ? '−' : ''}${formatAge(Math.abs(to.time - from.time))}`,
    ];
    const newest = heat === null ? 0 : heat.start() + heat.columns() * heat.columnMs() - 1;
    const cell = heat?.read(Math.min(from.time, newest), to.price)?.cell;
    if (heat === null || cell === undefined) return lines;
    const { longUsd, shortUsd } = heat.between(cell, from.price);
    if (side !== 'short') lines.push(`Longs $${compactUsd(longUsd)}`);
    if (side !== 'long') lines.push(`Shorts $${compactUsd(shortUsd)}`);
    return lines;
}

export class Measure {
    readonly #host: HTMLElement;
    readonly #source: MeasureSource;
    readonly #box = element('div', { className: 'measure', hidden: true });
    readonly #words = element('div', { className: 'measure-words' });
    #from: MeasuredPoint | null = null;

    /** `host`: the element of the chart, whose own dragging must not begin while measuring. */
    constructor(host: HTMLElement, pane: HTMLElement, source: MeasureSource) {
        this.#host = host;
        this.#source = source;
        this.#box.append(this.#words);
        pane.append(this.#box);
        host.addEventListener('mousedown', (event) => this.#begin(event), { capture: true });
        window.addEventListener('mousemove', (event) => this.#move(event));
        window.addEventListener('mouseup', () => {
            this.#from = null;
        });
        window.addEventListener('keydown', ({ key }) => {
            if (key === 'Escape') this.#box.hidden = true;
        });
    }

    #place({ clientX, clientY }: MouseEvent): MeasuredPoint | null {
        const { left, top } = this.#host.getBoundingClientRect();
        return this.#source.at(clientX - left, clientY - top);
    }

    #begin(event: MouseEvent): void {
        this.#box.hidden = true;
        if (!event.shiftKey || event.button !== 0) return;
        event.stopPropagation();
        event.preventDefault();
        this.#from = this.#place(event);
    }

    #move(event: MouseEvent): void {
        const from = this.#from;
        if (from === null) return;
        const to = this.#place(event);
        if (to === null) return;
        const { style } = this.#box;
        style.left = `${Math.min(from.x, to.x)}px`;
        style.top = `${Math.min(from.y, to.y)}px`;
        style.width = `${Math.abs(to.x - from.x)}px`;
        style.height = `${Math.abs(to.y - from.y)}px`;
        this.#box.dataset.way = to.price >= from.price ? 'up' : 'down';
        this.#words.replaceChildren(
            ...measured(from, to, this.#source.heat(), this.#source.side(), this.#source.decimals()).map((line) =>
                element('div', { textContent: line }),
            ),
        );
        this.#box.hidden = false;
    }
}
