/** What stands under the pointer, in words and numbers. */
import { compactUsd, formatPrice, formatTime, priceDecimals, signedPercent } from '../model/format.ts';
import type { Heat } from '../model/heat.ts';
import type { Candles } from '../model/candles.ts';
import type { Pointed } from '../render/chart.ts';
import { element } from './dom.ts';

export interface Explained {
    time: number;
    low: number;
    high: number;
    longUsd: number;
    shortUsd: number;
    /** From the price of that time to the cell, as a share; null where there is no candle. */
    distance: number | null;
    /** All that stands between that time's price and the cell. */
    onTheWayUsd: number | null;
    /** How long the band has been there, milliseconds; null where the cell is empty. */
    ageMs: number | null;
}

/** Everything the tooltip says about a point, or null where there is nothing to say. */
export function explain(heat: Heat, candles: Candles, pointed: Pointed): Explained | null {
    const cell = heat.read(pointed.time, pointed.price);
    if (cell === null) return null;
    const close = candles.closeAt(pointed.time);
    const middle = cell.price + heat.header.bin / 2;
    const way = close === undefined ? null : heat.between(pointed.time, close, middle);
    return {
        time: cell.time,
        low: cell.price,
        high: cell.price + heat.header.bin,
        longUsd: cell.longUsd,
        shortUsd: cell.shortUsd,
        distance: close === undefined ? null : middle / close - 1,
        onTheWayUsd: way === null ? null : way.longUsd + way.shortUsd,
        ageMs: heat.ageAt(cell.time, cell.price),
    };
}

const OFFSET_PX = 16;
const NARROW_PX = 600;

export class Tooltip {
    readonly #host: HTMLElement;

    constructor(host: HTMLElement) {
        this.#host = host;
    }

    hide(): void {
        this.#host.hidden = true;
    }

    show(at: { x: number; y: number }, pane: { width: number; height: number }, caption: string, rows: readonly Row[]): void {
        const table = element('table', {}, element('caption', { textContent: caption }));
        for (const [label, value, tone] of rows) {
            table.append(element('tr', {},
                element('th', { scope: 'row', textContent: label }),
                element('td', { textContent: value, className: tone ?? '' })));
        }
        this.#host.replaceChildren(table);
        this.#host.hidden = false;
        this.#place(at, pane);
    }

    #place(at: { x: number; y: number }, pane: { width: number; height: number }): void {
        const { offsetWidth: width, offsetHeight: height } = this.#host;
        // Under a finger the box would be hidden; on a narrow page it stays in a top corner, away from the pointer.
        const narrow = pane.width < NARROW_PX;
        const right = at.x + OFFSET_PX + width < pane.width;
        const x = narrow ? (at.x > pane.width / 2 ? 6 : pane.width - width - 6) : right ? at.x + OFFSET_PX : at.x - OFFSET_PX - width;
        const below = at.y + OFFSET_PX + height < pane.height;
        const y = narrow ? 6 : below ? at.y + OFFSET_PX : at.y - OFFSET_PX - height;
        this.#host.style.transform = `translate(${Math.max(0, Math.round(x))}px, ${Math.max(0, Math.round(y))}px)`;
    }
}

export type Row = readonly [label: string, value: string, tone?: 'long' | 'short'];

export function rowsOf(said: Explained): Row[] {
    const decimals = priceDecimals(said.low);
    const rows: Row[] = [
        ['Price', `${formatPrice(said.low, decimals)} – ${formatPrice(said.high, decimals)}`],
    ];
    if (said.distance !== null) rows.push(['Distance', signedPercent(said.distance)]);
    rows.push(['Long', said.longUsd > 0 ? `$${compactUsd(said.longUsd)}` : '–', 'long']);
    rows.push(['Short', said.shortUsd > 0 ? `$${compactUsd(said.shortUsd)}` : '–', 'short']);
    if (said.onTheWayUsd !== null) rows.push(['Up to here', `$${compactUsd(said.onTheWayUsd)}`]);
    if (said.ageMs !== null) rows.push(['Band since', formatTime(said.time - said.ageMs)]);
    return rows;
}
