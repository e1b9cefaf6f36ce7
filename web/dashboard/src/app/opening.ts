/** Which symbol and range are open: what the list of symbols offers of those that the view names. */
import type { Market } from '../data/market.ts';
import { fitting, rangesOf } from '../model/ranges.ts';
import { partsOf } from '../model/venues.ts';
import type { MapPane } from '../panels/map-pane.ts';
import type { HeatChart } from '../render/chart.ts';
import type { Action, View } from '../state/view.ts';
import { byId } from '../ui/dom.ts';
import type { Toolbar } from '../ui/toolbar.ts';
import type { Tooltip } from '../ui/tooltip.ts';
import type { Symbols } from '../wire/answers.ts';
import type { Painter } from './painter.ts';
import type { SymbolList } from './symbol-list.ts';

export interface OpeningContext {
    symbols: SymbolList;
    market: Market;
    chart: HeatChart;
    map: MapPane;
    tooltip: Tooltip;
    painter: Painter;
    toolbar: Toolbar;
    view(): View;
    dispatch(action: Action): void;
    /** Another range is opened, which the toolbar shows. */
    changed(): void;
    toast(why: string): void;
}

export class Opening {
    readonly #context: OpeningContext;
    #offered: ReadonlySet<string> = new Set();
    #range = '';
    #symbol = '';

    constructor(context: OpeningContext) {
        this.#context = context;
    }

    /** The range that is opened: the chosen one, or the longest that the data fills so far. */
    get range(): string {
        return this.#range;
    }

    /** The symbol that is open; empty before the first. */
    get symbol(): string {
        return this.#symbol;
    }

    /** Chooses a range that is offered. */
    pick(range: string): void {
        if (this.#offered.has(range) && range !== this.#range) this.#context.dispatch({ kind: 'open', range });
    }

    /** There is a list of symbols, the first or another one. */
    listed({ websocket, symbols: listed }: Symbols): void {
        const { market, symbols, view, toast, dispatch } = this.#context;
        market.connect(websocket);
        const wanted = view().symbol;
        const first = listed[0]?.symbol ?? '';
        if (symbols.find(wanted) === undefined) {
            if (wanted !== '') toast(`${wanted} is not served here; this is ${first}.`);
            dispatch({ kind: 'open', symbol: first });
        }
        this.#showSymbols();
        const before = this.#range;
        this.#offer();
        if (this.#symbol === '' || this.#range !== before) this.open();
    }

    /** Opens what the view names. */
    open(): void {
        const { tooltip, map, market, chart, painter, symbols, view, changed } = this.#context;
        this.#offer();
        const { symbol, pane, opened, interval } = view();
        const info = symbols.find(symbol);
        if (info === undefined) return;
        changed();
        this.#showSymbols();
        byId('simulated', HTMLElement).hidden = !info.simulated;
        tooltip.hide();
        if (info.symbol !== this.#symbol) painter.forget(info.symbol);
        this.#symbol = info.symbol;
        if (pane === 'map') map.open(info, opened);
        market.setInterval(interval);
        market.open(info, this.#range, chart.barsMax());
    }

    /** Opens a longer range, up to the chosen one, as soon as the data fills it. */
    grow(): void {
        const { market, view } = this.#context;
        const { range, span } = view();
        // Somebody who has walked elsewhere stays there.
        if (this.#range === range || market.load.kind !== 'shown' || span !== null) return;
        const before = this.#range;
        this.#offer();
        if (this.#range !== before) this.open();
    }

    #showSymbols(): void {
        const { symbols, toolbar, view } = this.#context;
        const { symbol: shown } = view();
        const { base, venue } = partsOf(shown);
        const names = symbols.all().map(({ symbol }) => symbol);
        const layers = symbols.parts(base).filter(({ estimate }) => estimate !== undefined);
        const venues = [...(symbols.find(base)?.venues ?? []), ...layers.map(({ symbol }) => partsOf(symbol).venue)];
        toolbar.symbols(names, base, venues, venue, symbols.isMeasured(shown));
    }

    #offer(): void {
        const { symbols, market, toolbar, view } = this.#context;
        const { symbol, range } = view();
        const info = symbols.find(symbol);
        if (info === undefined) return;
        // A young market grows into the chosen range while one watches.
        const last = this.#symbol === info.symbol ? (market.edge()?.asOf ?? 0) : 0;
        this.#offered = rangesOf(info, last);
        toolbar.offer(this.#offered);
        this.#range = fitting(range, this.#offered);
    }
}
