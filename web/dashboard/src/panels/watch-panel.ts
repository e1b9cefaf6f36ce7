/** Many symbols at a glance: price, change, and how near the next walls are. */
import type { Watch } from '../data/watch.ts';
import { compactUsd, formatPrice, priceDecimals, signedPercent } from '../model/format.ts';
import {
    nearness,
    sortedRows,
    WATCH_ORDERS,
    WATCHED_MAX,
    type WatchOrder,
    type WatchRow,
    watchedOf,
    watchRow,
} from '../model/watch-list.ts';
import { load, save } from '../transport/stored.ts';
import { element } from '../ui/dom.ts';
import { Redrawn } from '../ui/redrawn.ts';
import type { ServedWall } from '../wire/walls.ts';
import type { PanelPart, PanelState } from './side-panel.ts';

const STORED = 'liqheat.watch';
const ORDER_NAMES: Record<WatchOrder, string> = { near: 'nearest wall first', change: 'largest move first', name: 'by name' };
/** A wall nearer than this is marked, as a share of the price. */
const NEAR = 0.005;
/** States of data that need no word. */
const WELL = ['live', 'replay', ''];

export interface WatchContext {
    watch: Watch;
    /** Every symbol that the server has. */
    served(): readonly string[];
    sockets(): boolean;
    open(symbol: string): void;
    /** Lets somebody find a symbol to add. */
    find(pick: (symbol: string) => void): void;
}

export class WatchPanel implements PanelPart {
    readonly #context: WatchContext;
    readonly #order: HTMLSelectElement;
    readonly #rows = new Redrawn('scroll');
    #symbols: string[] | null = null;
    #state: PanelState | null = null;

    constructor(host: HTMLElement, context: WatchContext) {
        this.#context = context;
        this.#order = element('select', {}, ...WATCH_ORDERS.map((value) => element('option', { value, textContent: ORDER_NAMES[value] })));
        this.#order.setAttribute('aria-label', 'Order');
        this.#order.addEventListener('change', () => this.#again());
        const add = element('button', { type: 'button', className: 'small', textContent: 'Add' });
        add.addEventListener('click', () =>
            context.find((symbol) => this.#change((list) => [...list.filter((each) => each !== symbol), symbol])),
        );
        this.#rows.element.tabIndex = 0;
        host.replaceChildren(
            element('div', { className: 'panel-head' }, element('h2', { textContent: 'Watch list' }), this.#order, add),
            this.#rows.element,
        );
    }

    show(state: PanelState): void {
        this.#state = state;
        const { watch, served, sockets } = this.#context;
        const names = served();
        if (names.length === 0) return;
        this.#symbols ??= watchedOf(load(STORED), names);
        watch.follow(this.#symbols, sockets());
        const rows = this.#symbols.map((symbol) => watchRow(symbol, watch.walls(symbol), watch.dayBefore(symbol)));
        const order = WATCH_ORDERS.find((each) => each === this.#order.value) ?? 'near';
        const sorted = sortedRows(rows, order);
        this.#rows.show(JSON.stringify([sorted, state.symbol]), () => this.#items(sorted, state.symbol));
    }

    hide(): void {
        this.#context.watch.follow([], false);
    }

    #again(): void {
        if (this.#state !== null) this.show(this.#state);
    }

    #change(change: (list: readonly string[]) => string[]): void {
        this.#symbols = change(this.#symbols ?? []).slice(-WATCHED_MAX);
        save(STORED, JSON.stringify(this.#symbols));
        if (this.#symbols.length === 0) this.#context.watch.follow([], false);
        this.#again();
    }

    #items(rows: readonly WatchRow[], shown: string): Node[] {
        if (rows.length === 0) return [element('p', { className: 'hint', textContent: 'Nothing is watched. Add finds symbols.' })];
        return rows.map((row) => this.#item(row, row.symbol === shown));
    }

    #item(row: WatchRow, isShown: boolean): HTMLElement {
        const { symbol, price, change, long, short, state } = row;
        const open = element(
            'button',
            { type: 'button', className: 'watched' },
            element(
                'span',
                { className: 'watched-top' },
                element('b', { textContent: symbol }),
                element('span', { textContent: price === null ? '–' : formatPrice(price, priceDecimals(price)) }),
                element('span', {
                    className: change === null ? '' : change >= 0 ? 'up' : 'down',
                    textContent: change === null ? '' : signedPercent(change),
                }),
            ),
            element(
                'span',
                { className: 'watched-walls' },
                ...(price === null ? [] : [wallWords('long', long), wallWords('short', short)]),
                ...(WELL.includes(state) ? [] : [element('span', { className: 'state', textContent: state.replace('_', ' ') })]),
            ),
        );
        open.dataset.key = `open-${symbol}`;
        open.setAttribute('aria-current', String(isShown));
        open.addEventListener('click', () => this.#context.open(symbol));
        const remove = element('button', { type: 'button', className: 'bell', textContent: '×' });
        remove.dataset.key = `remove-${symbol}`;
        remove.setAttribute('aria-label', `Do not watch ${symbol}`);
        remove.addEventListener('click', () => this.#change((list) => list.filter((each) => each !== symbol)));
        const item = element('div', { className: 'item' }, element('div', {}, open), remove);
        item.dataset.near = String(nearness(row) < NEAR);
        return item;
    }
}

function wallWords(side: 'long' | 'short', wall: ServedWall | null): HTMLElement {
    const arrow = side === 'long' ? '▼' : '▲';
    const words = wall === null ? `${arrow} –` : `${arrow} ${signedPercent(wall.distance)} $${compactUsd(wall.usd)}`;
    return element('span', {
        className: side,
        textContent: words,
        title: side === 'long' ? 'Nearest wall of longs' : 'Nearest wall of shorts',
    });
}
