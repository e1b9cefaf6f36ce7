/** Puts the page together: what is chosen, what is loaded, and what is drawn when. */

import { formatAge, formatPrice, formatTime, marketDecimals } from '../model/format.ts';
import { badgeOf } from '../model/freshness.ts';
import type { LiveLevel, SideFilter } from '../model/heat.ts';
import { clusters } from '../model/quote.ts';
import { available, fitting, RANGES } from '../model/ranges.ts';
import { momentAt, spanOf, stateAt, stepped } from '../model/replay.ts';
import { withSources } from '../model/sources.ts';
import { COLOURS, DEFAULT_VIEW, PANES, queryOf, SCALES, SIDES, sideFilter, type View, viewFromQuery } from '../model/view.ts';
import { HeatChart } from '../render/chart.ts';
import { Api } from '../transport/api.ts';
import type { Liquidation, SymbolInfo, Symbols } from '../wire/answers.ts';
import { byId, element, Segments } from './dom.ts';
import { DIRTY, Frames } from './frames.ts';
import { Header } from './header.ts';
import { type Command, fillHelp, listen } from './keyboard.ts';
import { Legend } from './legend.ts';
import { LeverageChips } from './leverage-chips.ts';
import { Leverages } from './leverages.ts';
import { MapPane } from './map-pane.ts';
import { Market } from './market.ts';
import { Notices } from './notices.ts';
import { compose, save } from './screenshot.ts';
import { Scrubber } from './scrubber.ts';
import { explain, rowsOf, Tooltip } from './tooltip.ts';

const STORED_VIEW = 'liqheat.view';
const SYMBOLS_RETRY_MS = 3_000;
const SYMBOLS_REFRESH_MS = 60_000;
/** The list also says when sockets are switched on again. */
const SYMBOLS_SOCKET_MS = 10_000;
const BADGE_EVERY_MS = 1_000;
const SEEN_SHARE_LOW = 0.5;
const NO_EVENTS: readonly Liquidation[] = [];
/** Narrower candles are hairs. */
const CANDLE_PX_MIN = 4;
const PAN_SHARE = 0.15;
const ZOOM_FACTOR = 0.7;

const SIDE_LABELS: Record<View['side'], string> = { both: 'Both', long: 'Long', short: 'Short', split: 'Split' };
const SCALE_LABELS: Record<View['scale'], string> = { log: 'Log', linear: 'Linear', percentile: 'Rank' };
const SCALE_TITLES: Record<View['scale'], string> = {
    log: 'Logarithmic: two decades below the maximum',
    linear: 'Linear in dollars',
    percentile: 'By rank among all cells',
};

function next<T>(list: readonly T[], now: T): T {
    return list[(list.indexOf(now) + 1) % list.length] ?? now;
}

/** Levels of the sides that are shown. */
function ofSide(levels: readonly LiveLevel[], side: SideFilter): readonly LiveLevel[] {
    if (side === 'both') return levels;
    return levels.map((level) => (side === 'long' ? { ...level, short_density: 0 } : { ...level, long_density: 0 }));
}

export class App {
    readonly #api = new Api(new URL('.', document.baseURI));
    readonly #frames = new Frames((dirty) => this.#draw(dirty));
    readonly #market = new Market(this.#api, {
        loaded: (keepView) => this.#loaded(keepView),
        changed: () => this.#frames.mark(DIRTY.live),
        statusChanged: () => this.#frames.mark(DIRTY.badge),
    });
    #view: View = viewFromQuery(location.search, this.#storedView());
    readonly #chart = new HeatChart(byId('chart', HTMLElement), this.#view);
    readonly #legend = new Legend(byId('legend', HTMLElement), (threshold) => this.#change({ threshold }));
    readonly #tooltip = new Tooltip(byId('tip', HTMLElement));
    readonly #leverages = new Leverages(this.#api, () => this.#frames.mark(DIRTY.tooltip));
    readonly #notices = new Notices(byId('notice', HTMLElement), byId('banner', HTMLElement), () => this.#tryNow());
    readonly #symbolSelect = byId('symbol', HTMLSelectElement);
    readonly #coloursSelect = byId('colours', HTMLSelectElement);
    readonly #header = new Header();
    readonly #scrubber = new Scrubber((moment) => this.#lookBack(moment));
    readonly #ranges = new Segments(
        byId('ranges', HTMLElement),
        RANGES.map(({ id }) => [id, id, '']),
        (id) => this.#pickRange(id),
    );
    readonly #panes = new Segments(
        byId('panes', HTMLElement),
        [
            ['heatmap', 'Heatmap', 'Levels over time'],
            ['map', 'Map', 'Levels by leverage now'],
        ],
        (pane) => this.#change({ pane: PANES.find((each) => each === pane) ?? 'heatmap' }),
    );
    readonly #map = new MapPane(
        this.#api,
        byId('map', HTMLElement),
        this.#tooltip,
        () => this.#frames.mark(DIRTY.map),
        (why) => this.#mapFailed(why),
    );
    readonly #chips = new LeverageChips(byId('leverages', HTMLElement), (hidden) => this.#change({ hidden }));
    readonly #sides = new Segments(
        byId('sides', HTMLElement),
        SIDES.map((side) => [side, SIDE_LABELS[side], '']),
        (side) => this.#change({ side: SIDES.find((each) => each === side) ?? 'both' }),
    );
    readonly #scales = new Segments(
        byId('scales', HTMLElement),
        SCALES.map((scale) => [scale, SCALE_LABELS[scale], SCALE_TITLES[scale]]),
        (scale) => this.#change({ scale: SCALES.find((each) => each === scale) ?? 'log' }),
    );
    #symbols: Symbols | null = null;
    #offered: ReadonlySet<string> = new Set();
    /** The range on the screen: the chosen one, or the longest that the data fills so far. */
    #shownRange = '';
    /** The moment the picture is shown as of; null for now. */
    #moment: number | null = null;
    #eventsShown: unknown = null;
    /** The symbol that is open. */
    #opened = '';
    #symbolsTimer: ReturnType<typeof setTimeout> | undefined;

    start(): void {
        this.#wire();
        this.#applyView();
        setInterval(() => this.#frames.mark(DIRTY.badge), BADGE_EVERY_MS);
        this.#notices.show({ kind: 'loading', what: 'Asking what there is' });
        void this.#loadSymbols();
    }

    // --- choosing ---

    #wire(): void {
        this.#symbolSelect.addEventListener('change', () => this.#pickSymbol(this.#symbolSelect.value));
        for (const name of COLOURS) {
            this.#coloursSelect.append(element('option', { value: name, textContent: name[0]?.toUpperCase() + name.slice(1) }));
        }
        this.#coloursSelect.addEventListener('change', () => {
            this.#change({ colours: COLOURS.find((each) => each === this.#coloursSelect.value) ?? 'viridis' });
        });
        const opened = byId('opened', HTMLSelectElement);
        opened.append(element('option', { value: '', textContent: 'Opened any time' }));
        for (const { id } of RANGES) opened.append(element('option', { value: id, textContent: `Opened in ${id}` }));
        opened.addEventListener('change', () => {
            this.#change({ opened: opened.value });
            this.#openPane();
        });
        for (const command of ['events', 'swept', 'theme', 'help'] as const) {
            byId(command, HTMLButtonElement).addEventListener('click', () => this.#command(command));
        }
        byId('shot', HTMLButtonElement).addEventListener('click', () => this.#command('screenshot'));
        fillHelp(byId('keys', HTMLDialogElement));
        listen(
            (command) => this.#command(command),
            (range) => this.#pickRange(range),
        );
        this.#chart.onPoint(() => this.#frames.mark(DIRTY.tooltip));
        window.addEventListener('popstate', () => {
            const view = viewFromQuery(location.search, this.#view);
            const moved = view.symbol !== this.#view.symbol || view.range !== this.#view.range;
            this.#view = view;
            this.#applyView();
            if (moved) this.#open();
        });
    }

    #command(command: Command): void {
        const { scale, colours, side, theme, events, swept } = this.#view;
        switch (command) {
            case 'left':
                return this.#chart.pan(-PAN_SHARE);
            case 'right':
                return this.#chart.pan(PAN_SHARE);
            case 'zoom_in':
                return this.#chart.zoom(ZOOM_FACTOR);
            case 'zoom_out':
                return this.#chart.zoom(1 / ZOOM_FACTOR);
            case 'fit':
                return this.#chart.fit();
            case 'back':
                return this.#stepBack(-1);
            case 'forward':
                return this.#stepBack(1);
            case 'now':
                return this.#lookBack(null);
            case 'scale':
                return this.#change({ scale: next(SCALES, scale) });
            case 'colours':
                return this.#change({ colours: next(COLOURS, colours) });
            case 'side':
                return this.#change({ side: next(SIDES, side) });
            case 'theme':
                return this.#change({ theme: theme === 'dark' ? 'light' : 'dark' });
            case 'events':
                return this.#change({ events: !events });
            case 'swept':
                return this.#change({ swept: !swept });
            case 'pane':
                return this.#change({ pane: next(PANES, this.#view.pane) });
            case 'screenshot':
                return this.#screenshot();
            case 'refresh':
                // What is live needs none; this is for those who want to be sure.
                return this.#market.reload(0);
            case 'symbol':
                return this.#symbolSelect.focus();
            case 'help':
                return byId('keys', HTMLDialogElement).showModal();
        }
    }

    #lookBack(moment: number | null): void {
        if (moment === this.#moment) return;
        this.#moment = moment;
        this.#frames.mark(DIRTY.live);
    }

    #stepBack(way: -1 | 1): void {
        const { heat, candles } = this.#market;
        const span = heat === null || candles === null ? null : spanOf(heat, candles);
        if (span !== null && this.#view.pane === 'heatmap') this.#lookBack(stepped(span, this.#moment, way));
    }

    #change(part: Partial<View>): void {
        const { pane } = this.#view;
        this.#view = { ...this.#view, ...part };
        this.#applyView();
        if (this.#view.pane !== pane) this.#openPane();
    }

    #openPane(): void {
        const info = this.#info();
        if (this.#view.pane === 'map' && info !== undefined) this.#map.open(info, this.#view.opened);
        if (this.#view.pane === 'heatmap') this.#map.close();
        this.#loaded(true);
        this.#foot();
    }

    #mapFailed(why: string | null): void {
        if (this.#view.pane === 'map') this.#notices.show(why === null ? null : { kind: 'failed', why });
    }

    #pickRange(range: string): void {
        if (!this.#offered.has(range) || range === this.#shownRange) return;
        this.#change({ range });
        this.#open();
    }

    #pickSymbol(symbol: string): void {
        this.#change({ symbol });
        this.#open();
    }

    #applyView(): void {
        const view = this.#view;
        document.documentElement.dataset.theme = view.theme;
        document.documentElement.dataset.pane = view.pane;
        this.#panes.press(view.pane);
        byId('opened', HTMLSelectElement).value = view.opened;
        byId('opened-field', HTMLElement).hidden = view.pane !== 'map';
        this.#ranges.press(this.#shownRange);
        this.#sides.press(view.side);
        this.#scales.press(view.scale);
        this.#coloursSelect.value = view.colours;
        this.#coloursSelect.disabled = view.side === 'split';
        for (const what of ['events', 'swept'] as const) {
            byId(what, HTMLButtonElement).setAttribute('aria-pressed', String(view[what]));
        }
        history.replaceState(null, '', queryOf(view));
        this.#storeView();
        this.#frames.mark(DIRTY.look | DIRTY.live | DIRTY.map);
    }

    #storedView(): View {
        try {
            return viewFromQuery(localStorage.getItem(STORED_VIEW) ?? '');
        } catch {
            // A page without storage (private windows, sandboxes) simply forgets.
            return { ...DEFAULT_VIEW };
        }
    }

    #storeView(): void {
        try {
            localStorage.setItem(STORED_VIEW, queryOf(this.#view));
        } catch {
            // As above.
        }
    }

    // --- loading ---

    async #loadSymbols(): Promise<void> {
        clearTimeout(this.#symbolsTimer);
        let again = SYMBOLS_RETRY_MS;
        try {
            this.#symbols = await this.#api.symbols(new AbortController().signal);
            this.#market.connect(this.#symbols.websocket);
            if (this.#symbols.symbols.length === 0) this.#notices.show({ kind: 'no_markets' });
            else {
                this.#fillSymbols(this.#symbols.symbols);
                again = this.#symbols.websocket ? SYMBOLS_REFRESH_MS : SYMBOLS_SOCKET_MS;
            }
        } catch {
            if (this.#symbols === null) this.#notices.show({ kind: 'server_gone' });
        }
        this.#symbolsTimer = setTimeout(() => void this.#loadSymbols(), again);
    }

    #fillSymbols(list: readonly SymbolInfo[]): void {
        const names = list.map((info) => info.symbol);
        const shown = [...this.#symbolSelect.options].map((option) => option.value);
        if (names.join() !== shown.join()) {
            this.#symbolSelect.replaceChildren(...names.map((name) => element('option', { value: name, textContent: name })));
        }
        const first = this.#market.load.kind === 'idle';
        if (!names.includes(this.#view.symbol)) this.#change({ symbol: names[0] ?? '' });
        const before = this.#shownRange;
        this.#offerRanges();
        if (first || this.#shownRange !== before) this.#open();
    }

    /** A young market grows into the chosen range while one watches. */
    #grow(): void {
        const before = this.#shownRange;
        this.#offerRanges();
        if (this.#shownRange !== before) this.#open();
    }

    #info(): SymbolInfo | undefined {
        return this.#symbols?.symbols.find((info) => info.symbol === this.#view.symbol);
    }

    #offerRanges(): void {
        const info = this.#info();
        if (info === undefined) return;
        const last = this.#opened === info.symbol ? (this.#market.edge()?.asOf ?? 0) : 0;
        this.#offered = available(Math.max(last, info.last ?? 0) - (info.first ?? 0));
        this.#ranges.offer(this.#offered, 'No data that far back');
        this.#shownRange = fitting(this.#view.range, this.#offered);
        this.#ranges.press(this.#shownRange);
    }

    #open(): void {
        this.#offerRanges();
        const info = this.#info();
        if (info === undefined) return;
        this.#symbolSelect.value = info.symbol;
        if (info.symbol !== this.#opened) this.#forget(info.symbol);
        this.#opened = info.symbol;
        byId('simulated', HTMLElement).hidden = !info.simulated;
        this.#tooltip.hide();
        this.#moment = null;
        if (this.#view.pane === 'map') this.#map.open(info, this.#view.opened);
        this.#market.open(info, this.#shownRange, this.#chart.paneSize().width / CANDLE_PX_MIN);
    }

    /** Takes everything of the symbol before off the screen. */
    #forget(symbol: string): void {
        this.#header.clear(symbol);
        this.#chart.clear();
        this.#legend.show(this.#view, null);
        byId('foot', HTMLElement).textContent = '';
    }

    #tryNow(): void {
        if (this.#symbols === null || this.#symbols.symbols.length === 0) void this.#loadSymbols();
        else this.#market.retryNow();
    }

    #loaded(keepView: boolean): void {
        const { load, heat, candles } = this.#market;
        const { symbol, pane } = this.#view;
        const range = this.#shownRange;
        if (load.kind === 'shown' && heat !== null && candles !== null) {
            this.#notices.show(null);
            this.#filter();
            this.#chart.show(heat, candles, this.#market.decimals, keepView);
            this.#eventsShown = null;
            this.#foot();
            this.#frames.mark(DIRTY.live | DIRTY.look | DIRTY.badge);
            return;
        }
        if (heat !== null || pane === 'map') return;
        if (load.kind === 'loading') this.#notices.show({ kind: 'loading', what: `Loading ${range} of ${symbol}` });
        else this.#chart.clear();
        if (load.kind === 'empty') this.#notices.show({ kind: 'no_data', symbol, range });
        if (load.kind === 'failed') {
            const { status, why } = load;
            this.#notices.show(
                status === 0 ? { kind: 'server_gone' } : status === 503 ? { kind: 'no_state', symbol, why } : { kind: 'failed', why },
            );
        }
    }

    // --- drawing: only ever from an animation frame ---

    #draw(dirty: number): void {
        if (dirty & DIRTY.look) {
            this.#filter();
            this.#chart.restyle(this.#view);
            this.#legend.show(this.#view, this.#chart.scale());
        }
        if (dirty & DIRTY.live) this.#drawLive();
        if (dirty & (DIRTY.map | DIRTY.live)) {
            const edge = this.#market.edge();
            const state = { price: edge?.snapshot.data.current_price ?? null, asOf: edge?.asOf ?? null };
            this.#map.draw(this.#view.theme, state, this.#view.hidden, this.#market.decimals);
        }
        if (dirty & (DIRTY.map | DIRTY.look)) this.#drawChips();
        if (dirty & (DIRTY.badge | DIRTY.live)) this.#drawBadge();
        if (dirty & (DIRTY.tooltip | DIRTY.live) && this.#view.pane === 'heatmap') this.#drawTooltip();
    }

    /** Takes the hidden leverages out of the picture. */
    #filter(): void {
        const { hidden } = this.#view;
        const { heat } = this.#market;
        heat?.filter(hidden.length === 0 ? null : new Set(heat.header.leverages.filter((each) => !hidden.includes(each))));
    }

    #drawChips(): void {
        const { pane, hidden, theme } = this.#view;
        const { heat } = this.#market;
        const inMap = pane === 'map';
        const leverages = inMap ? this.#map.leverages() : (this.#info()?.leverages ?? []);
        const whyNot = inMap || heat === null || heat.isSplit() ? null : 'This picture is too large to be split by leverage';
        this.#chips.show({ leverages, hidden, theme, whyNot });
    }

    #drawLive(): void {
        if (this.#shownRange !== this.#view.range && this.#market.load.kind === 'shown') this.#grow();
        const { heat, candles } = this.#market;
        const peak = this.#chart.scale()?.peak;
        const known = heat?.isFiltered() === true ? this.#leverages.newest(this.#view.symbol) : null;
        this.#chart.refresh(this.#market.advance(known));
        if (this.#chart.scale()?.peak !== peak) this.#legend.show(this.#view, this.#chart.scale());
        const edge = this.#market.edge();
        const span = heat === null || candles === null ? null : spanOf(heat, candles);
        // What was looked back to may have left the picture, which moves on with the market.
        if (this.#moment !== null) this.#moment = span === null ? null : momentAt(span, this.#moment);
        this.#chart.until(this.#moment);
        this.#scrubber.show(span, this.#moment, edge?.asOf ?? heat?.header.as_of ?? null);
        const events = this.#view.events ? this.#market.events : NO_EVENTS;
        if (events !== this.#eventsShown) this.#chart.events(events);
        this.#eventsShown = events;
        this.#drawState();
        // Where the picture stands, for whoever looks at the page from outside.
        const shown = byId('chart', HTMLElement).dataset;
        shown.columns = String(heat?.columns() ?? 0);
        shown.asOf = String(edge?.asOf ?? '');
        shown.moment = String(this.#moment ?? '');
    }

    /** Today's levels and price, or those of the moment that is looked back to. */
    #drawState(): void {
        const { heat, candles } = this.#market;
        const live = this.#market.edge()?.snapshot.data;
        if (heat === null || candles === null) return this.#chart.profile([], 1);
        const whole = !heat.isFiltered();
        const { price, levels } =
            this.#moment === null
                ? { price: live?.current_price ?? candles.lastPrice() ?? null, levels: whole ? (live?.levels ?? []) : heat.newestLevels() }
                : stateAt(heat, candles, this.#moment);
        const side = sideFilter(this.#view.side);
        const { decimals } = this.#market;
        this.#chart.profile(ofSide(levels, side), whole && this.#moment === null ? (this.#info()?.baseBin ?? 1) : heat.header.bin);
        if (price === null) return;
        this.#chart.price(price);
        const before = candles.at(heat.start())?.open ?? candles.firstOpen() ?? price;
        this.#header.price(this.#view.symbol, price, before, this.#shownRange, decimals);
        if (levels.length > 0 || !whole) this.#header.clusters(clusters(levels, price, heat.header.bin), side, decimals);
    }

    #drawBadge(): void {
        const feed = this.#market.feed();
        const connection = this.#market.connection();
        const badge = badgeOf({
            connection,
            feed: feed.state,
            asOf: feed.asOf,
            heardAt: feed.heardAt,
            movedAt: feed.movedAt,
            now: Date.now(),
            speed: this.#symbols?.speed ?? 1,
        });
        this.#header.badge(withSources(badge, this.#market.sources(), Date.now()));
        const shown = this.#market.heat !== null;
        const seen = this.#market.heat?.header.seen_share ?? null;
        const { status } = connection;
        if (shown && (status === 'disconnected' || status === 'failed')) {
            this.#notices.banner('Connection lost. The picture stands still until the server is back.');
        } else if (shown && status === 'stale') {
            this.#notices.banner('No new market data. The picture may be out of date.');
        } else if (shown && seen !== null && seen < SEEN_SHARE_LOW) {
            const share = Math.floor(seen * 100);
            const words = `Warming up: the model saw ${share} % of today's positions open and assumes the rest.`;
            this.#notices.banner(words, 'plain', `warming up ${this.#view.symbol}`);
        } else this.#notices.banner(null);
    }

    #drawTooltip(): void {
        const { heat } = this.#market;
        const pointed = this.#chart.pointed();
        const side = sideFilter(this.#view.side);
        const cell =
            heat === null || pointed === null
                ? null
                : explain(heat, pointed, {
                      moment: this.#moment,
                      side,
                      priceAt: (time) => this.#market.priceAt(time),
                  });
        if (cell === null || pointed === null) return this.#tooltip.hide();
        const any = cell.longUsd + cell.shortUsd > 0;
        const now = cell.now && any ? this.#leverages.between(this.#view.symbol, cell.low, cell.high, side) : [];
        const { hidden } = this.#view;
        // What the picture knows of the past is rounded; of now the server is asked.
        const parts = now.length > 0 ? now.filter(({ leverage }) => !hidden.includes(leverage)) : cell.parts;
        const caption = `${formatTime(cell.time)} UTC${cell.now ? ' · now' : ''}`;
        this.#tooltip.show(pointed, this.#chart.paneSize(), caption, rowsOf(cell, parts, this.#market.decimals));
    }

    #foot(): void {
        const header = this.#market.heat?.header;
        if (header === undefined) return;
        const bin = formatPrice(header.bin, marketDecimals([], header.bin));
        const seen = header.seen_share === null ? '' : ` · ${Math.round(header.seen_share * 100)} % of positions seen opening`;
        const cells = this.#view.pane === 'map' ? '' : ` · bin $${bin} · column ${formatAge(header.column_ms)}`;
        byId('foot', HTMLElement).textContent = `Estimated liquidation levels${cells}${seen} · times in UTC`;
    }

    #screenshot(): void {
        const { symbol, theme, pane } = this.#view;
        const range = this.#shownRange;
        const edge = this.#market.edge();
        const at = (pane === 'heatmap' ? this.#moment : null) ?? edge?.asOf ?? this.#market.heat?.header.as_of;
        if (at === undefined) return;
        const simulated = this.#info()?.simulated === true ? ' · simulated market' : '';
        const map = pane === 'map';
        const detail = `${map ? 'Liquidation map' : `Liquidation heatmap · ${range}`} · ${formatTime(at)} UTC${simulated} · liqheat`;
        const picture = compose(map ? this.#map.canvas() : this.#chart.screenshot(), symbol, detail, theme);
        save(picture, `liqheat-${symbol}-${map ? 'map' : range}-${new Date(at).toISOString().slice(0, 16).replace(':', '')}.png`);
    }
}
