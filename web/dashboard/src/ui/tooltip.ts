/** What stands under the pointer, in words and numbers. */
import { compactUsd, formatAge, formatPrice, formatTime, signedPercent, type Zone } from '../model/format.ts';
import type { Heat, SideFilter } from '../model/heat.ts';
import type { Part } from '../model/leverage-split.ts';
import type { Pointed } from '../render/chart.ts';
import { element } from './dom.ts';

export interface Explained {
    /** Start of the column. */
    time: number;
    /** The newest column, which is still growing. */
    now: boolean;
    low: number;
    high: number;
    /** The side that is shown; amounts of the other are 0. */
    side: SideFilter;
    longUsd: number;
    shortUsd: number;
    /** From the price at the column's end to the cell, as a share; null where no price is known. */
    distance: number | null;
    /** All that is shown between that price and the cell. */
    onTheWayUsd: number | null;
    /** How long the band has been there, milliseconds; null where the cell is empty. */
    ageMs: number | null;
    /** The cell's shown dollars by leverage, highest first; empty where the picture is not split. */
    parts: readonly Part[];
    /** The band is older than the picture: `ageMs` is only what can be seen of it. */
    older: boolean;
}

export interface Circumstances {
    /** A moment that is looked back to; null for now. */
    moment: number | null;
    side: SideFilter;
    /** The newest price known at a time. */
    priceAt(time: number): number | undefined;
}

/**
 * Everything the tooltip says about a point, or null where there is nothing to say. Right of the last column shown (which may
 * end at a moment that is looked back to) its bars are drawn, so that column answers there.
 */
export function explain(heat: Heat, pointed: Pick<Pointed, 'time' | 'price'>, { moment, side, priceAt }: Circumstances): Explained | null {
    const columns = moment === null ? heat.columns() : heat.endedBy(moment);
    const newest = heat.start() + (columns - 1) * heat.columnMs();
    const reading = heat.read(Math.min(pointed.time, newest), pointed.price);
    if (reading === null) return null;
    const { cell, time, low, high } = reading;
    const longUsd = side === 'short' ? 0 : reading.longUsd;
    const shortUsd = side === 'long' ? 0 : reading.shortUsd;
    const price = priceAt(time + heat.columnMs());
    const way = price === undefined ? null : heat.between(cell, price);
    const ageMs = heat.ageOf(cell, side);
    const whole = reading.longUsd + reading.shortUsd;
    // Planes by leverage hold both sides together; a cell that has both is divided in the same proportion.
    const share = whole === 0 ? 0 : (longUsd + shortUsd) / whole;
    return {
        time,
        now: moment === null && time === newest,
        low,
        high,
        side,
        longUsd,
        shortUsd,
        distance: price === undefined ? null : (low + high) / 2 / price - 1,
        onTheWayUsd: way === null ? null : (side === 'short' ? 0 : way.longUsd) + (side === 'long' ? 0 : way.shortUsd),
        ageMs,
        parts: heat
            .partsOf(cell)
            .map(({ leverage, usd }) => ({ leverage, usd: usd * share }))
            .filter(({ usd }) => usd > 0),
        older: ageMs !== null && time - ageMs <= heat.start(),
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
            table.append(
                element(
                    'tr',
                    { className: tone ?? '' },
                    element('th', { scope: 'row', textContent: label }),
                    element('td', { textContent: value }),
                ),
            );
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

/** `parts`: the cell's dollars by leverage, where they are known; `decimals`: of the market's prices. */
export function rowsOf(cell: Explained, parts: readonly Part[], decimals: number, zone: Zone = 'utc'): Row[] {
    const rows: Row[] = [['Price', `${formatPrice(cell.low, decimals)} – ${formatPrice(cell.high, decimals)}`]];
    if (cell.distance === null && cell.longUsd + cell.shortUsd === 0) {
        return [...rows, ['Data', 'none of this time']];
    }
    if (cell.distance !== null) rows.push(['Distance', signedPercent(cell.distance)]);
    const usd = (amount: number): string => (amount > 0 ? `$${compactUsd(amount)}` : '–');
    if (cell.side !== 'short') rows.push(['Long', usd(cell.longUsd), 'long']);
    if (cell.side !== 'long') rows.push(['Short', usd(cell.shortUsd), 'short']);
    for (const part of parts) rows.push([`${part.leverage}x`, usd(part.usd), 'part']);
    if (cell.onTheWayUsd !== null) rows.push(['Up to here', `$${compactUsd(cell.onTheWayUsd)}`]);
    if (cell.ageMs !== null) {
        const since = formatTime(cell.time - cell.ageMs, zone);
        const age = cell.ageMs === 0 ? 'new' : formatAge(cell.ageMs);
        rows.push(['Band since', cell.older ? `before ${since}` : `${since} · ${age}`]);
    }
    return rows;
}
