/** What stands under the pointer, in words and numbers. */
import { compactUsd, formatAge, formatPrice, formatTime, priceDecimals, signedPercent } from '../model/format.ts';
import type { Part } from '../model/leverage-split.ts';
import type { Heat } from '../model/heat.ts';
import type { Candles } from '../model/candles.ts';
import type { Pointed } from '../render/chart.ts';
import { element } from './dom.ts';

export interface Explained {
    /** Start of the column. */
    time: number;
    /** The newest column, which is still growing. */
    now: boolean;
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
    /** The cell's shown dollars by leverage, highest first; empty where the picture is not split. */
    parts: readonly Part[];
    /** The band is older than the picture: `ageMs` is only what can be seen of it. */
    older: boolean;
}

/**
 * Everything the tooltip says about a point, or null where there is nothing to say. Right of the last column shown (which may
 * end at a moment that is looked back to) stand its bars, so that column answers there.
 */
export function explain(heat: Heat, candles: Candles, pointed: Pointed, moment: number | null): Explained | null {
    const columns = moment === null ? heat.columns() : heat.endedBy(moment);
    const newest = heat.start() + (columns - 1) * heat.columnMs();
    const time = Math.min(pointed.time, newest);
    const cell = heat.read(time, pointed.price);
    if (cell === null) return null;
    const close = candles.closeAt(time);
    const middle = cell.price + heat.header.bin / 2;
    const way = close === undefined ? null : heat.between(time, close, middle);
    const ageMs = heat.ageAt(cell.time, cell.price);
    return {
        time: cell.time,
        now: moment === null && cell.time === newest,
        low: cell.price,
        high: cell.price + heat.header.bin,
        longUsd: cell.longUsd,
        shortUsd: cell.shortUsd,
        distance: close === undefined ? null : middle / close - 1,
        onTheWayUsd: way === null ? null : way.longUsd + way.shortUsd,
        ageMs,
        parts: heat.partsAt(cell.time, cell.price),
        older: ageMs !== null && cell.time - ageMs <= heat.start(),
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
            table.append(element('tr', { className: tone ?? '' },
                element('th', { scope: 'row', textContent: label }),
                element('td', { textContent: value })));
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

export type Row = readonly [label: string, value: string, tone?: 'long' | 'short' | 'part'];

/** `parts`: the cell's dollars by leverage, where they are known. */
export function rowsOf(said: Explained, parts: readonly Part[]): Row[] {
    const decimals = priceDecimals(said.low);
    const rows: Row[] = [
        ['Price', `${formatPrice(said.low, decimals)} – ${formatPrice(said.high, decimals)}`],
    ];
    if (said.distance === null && said.longUsd + said.shortUsd === 0) {
        return [...rows, ['Data', 'none of this time']];
    }
    if (said.distance !== null) rows.push(['Distance', signedPercent(said.distance)]);
    rows.push(['Long', said.longUsd > 0 ? `$${compactUsd(said.longUsd)}` : '–', 'long']);
    rows.push(['Short', said.shortUsd > 0 ? `$${compactUsd(said.shortUsd)}` : '–', 'short']);
    for (const { leverage, usd } of parts) rows.push([`${leverage}x`, `$${compactUsd(usd)}`, 'part']);
    if (said.onTheWayUsd !== null) rows.push(['Up to here', `$${compactUsd(said.onTheWayUsd)}`]);
    if (said.ageMs !== null) {
        const since = formatTime(said.time - said.ageMs);
        rows.push(['Band since', said.older ? `before ${since}` : `${since} · ${formatAge(said.ageMs)}`]);
    }
    return rows;
}
