/** Puts the page together: what is dispatched where, what is loaded when. Drawing is the painter's. */
import { LayerFacts } from '../data/layer-facts.ts';
import { Leverages } from '../data/leverages.ts';
import { Market } from '../data/market.ts';
import { SeriesData } from '../data/series.ts';
import { VenueBegins } from '../data/venue-begins.ts';
import type { Draft } from '../model/alert-draft.ts';
import type { Candles } from '../model/candles.ts';
import { around, otherSpeed } from '../model/playback.ts';
import { fitting, rangesOf } from '../model/ranges.ts';
import { stepped } from '../model/replay.ts';
import { estimateOf, partsOf } from '../model/venues.ts';
import { MapPane } from '../panels/map-pane.ts';
import { type PanelLoaders, SidePanel } from '../panels/side-panel.ts';
import { HeatChart } from '../render/chart.ts';
import { type Action, type DrawnView, drawn, isSameButFor, LINKED_MAX, sideFilter, type TimeSpan, type View } from '../state/view.ts';
import { browserPlace, ViewStore } from '../state/view-store.ts';
import { Api } from '../transport/api.ts';
import type { EarlyAnswers } from '../transport/early.ts';
import { DateDialog } from '../ui/date-dialog.ts';
import { byId } from '../ui/dom.ts';
import { toggleFullScreen } from '../ui/full-screen.ts';
import { Header } from '../ui/header.ts';
import { type Command, fillHelp, listen } from '../ui/keyboard.ts';
import { Legend } from '../ui/legend.ts';
import { LeverageChips } from '../ui/leverage-chips.ts';
import { Measure } from '../ui/measure.ts';
import { failureNotice, loadNotice, Notices } from '../ui/notices.ts';
import { Scrubber } from '../ui/scrubber.ts';
import { SymbolSearch } from '../ui/symbol-search.ts';
import { SystemTheme } from '../ui/system-theme.ts';
import { Toolbar } from '../ui/toolbar.ts';
import { Tooltip } from '../ui/tooltip.ts';
import type { Symbols } from '../wire/answers.ts';
import { Access } from './access.ts';
import { Alerts } from './alerts.ts';
import type { ExportKind } from './exports.ts';
import { DIRTY, Frames } from './frames.ts';
import { Linked } from './linked.ts';
import { Navigation } from './navigation.ts';
import { Painter, type Parts } from './painter.ts';
import { panelLoaders } from './panel-loaders.ts';
import { Past } from './past.ts';
import { Player } from './player.ts';
import { SymbolList } from './symbol-list.ts';

const BADGE_EVERY_MS = 1_000;
const PAN_SHARE = 0.15;
const ZOOM_FACTOR = 0.7;

export class App {
    readonly #access = new Access({
        renewed: (token) => this.#tokenRenewed(token),
        zone: () => this.#store.get().zone,
    });
    readonly #early: EarlyAnswers;
    readonly #api: Api;
    readonly #frames = new Frames((dirty) => {
        this.#painter.draw(dirty);
        this.#past.update(this.#store.get());
    });
    readonly #store = new ViewStore(browserPlace(), (next, previous) => this.#viewChanged(next, previous));
    readonly #system = new SystemTheme(() => this.#themeChanged());
    readonly #symbols: SymbolList;
    readonly #alerts: Alerts;
    readonly #settled: () => void;
    readonly #parts: Parts;
    readonly #painter: Painter;
    readonly #toolbar: Toolbar;
    readonly #linked = new Linked({
        view: () => this.#store.get(),
        follow: (view) => this.#follow(view),
        cross: (time) => this.#parts.chart.cross(time),
        span: (span) => this.#followSpan(span),
        remove: (symbol) => this.#dispatch({ kind: 'chart', symbol }),
    });
    readonly #search = new SymbolSearch();
    readonly #date = new DateDialog((time, isReplay) => (isReplay ? this.#replayFrom(time) : this.#navigation.goToTime(time)));
    readonly #navigation: Navigation;
    readonly #past: Past;
    readonly #player = new Player({
        view: () => this.#store.get(),
        reach: () => (this.#navigation.isBusy() || this.#painter.lacksMoment() ? null : this.#parts.market.reach()),
        visible: () => this.#parts.chart.viewport(),
        came: (moment) => this.#dispatch({ kind: 'played', moment }),
    });
    #offered: ReadonlySet<string> = new Set();
    /** The range that is opened: the chosen one, or the longest that the data fills so far. */
    #shownRange = '';
    /** The symbol that is open; empty before the first. */
    #opened = '';

    /** `early`: what has been asked for already. `settled` hears when the first picture is there, or why there is none. */
    constructor(early: EarlyAnswers, { settled }: { settled(): void }) {
        this.#early = early;
        this.#api = new Api(new URL('.', document.baseURI), this.#access, early);
        this.#symbols = new SymbolList(this.#api, {
            loaded: (symbols) => this.#symbolsLoaded(symbols),
            empty: () => {
                this.#settled();
                this.#parts.notices.show({ kind: 'no_markets' });
            },
            failed: (status, why) => this.#parts.notices.show(failureNotice(status, why, null)),
        });
        this.#alerts = new Alerts(this.#api, {
            changed: () => this.#alertsChanged(),
            open: (symbol, price, title) => this.#openAlert(symbol, price, title),
            zone: () => this.#store.get().zone,
            isPushed: () => ['connected', 'slow'].includes(this.#parts.market.connection().status),
        });
        this.#settled = settled;
        const view = this.#store.get();
        const tooltip = new Tooltip(byId('tip', HTMLElement));
        const redraw = (what: number) => (): void => this.#frames.mark(what);
        this.#parts = {
            market: new Market(this.#api, {
                loaded: (keepView) => this.#loaded(keepView),
                candles: (candles, decimals) => this.#preview(candles, decimals),
                changed: () => {
                    if (this.#shownRange !== this.#store.get().range) this.#grow();
                    this.#marketMoved();
                    this.#frames.mark(DIRTY.live);
                },
                statusChanged: () => this.#statusChanged(),
                trouble: (why) => this.#parts.notices.toast(why),
            }),
            leverages: new Leverages(this.#api, redraw(DIRTY.tooltip)),
            series: new SeriesData(this.#api, redraw(DIRTY.live)),
            begins: new VenueBegins(this.#api, redraw(DIRTY.live)),
            facts: new LayerFacts(this.#api, redraw(DIRTY.live)),
            chart: new HeatChart(byId('chart', HTMLElement), drawn(view, this.#system.get())),
            map: new MapPane(this.#api, byId('map', HTMLElement), tooltip, redraw(DIRTY.map), (why) => this.#mapFailed(why)),
            panel: new SidePanel(this.#panels()),
            legend: new Legend(byId('legend', HTMLElement), (threshold) => this.#set({ threshold })),
            header: new Header(),
            chips: new LeverageChips(byId('leverages', HTMLElement), (hidden) => this.#set({ hidden })),
            scrubber: new Scrubber({
                look: (moment) => this.#dispatch({ kind: 'look_back', moment }),
                play: () => this.#command('play'),
                date: () => this.#command('date'),
                speed: (speed) => this.#set({ speed }),
            }),
            tooltip,
            notices: new Notices(byId('notice', HTMLElement), byId('banner', HTMLElement), () => this.#tryNow()),
        };
        this.#navigation = new Navigation(this.#parts.chart, this.#parts.market, {
            view: () => this.#store.get(),
            settled: (span) => {
                this.#dispatch({ kind: 'span', span });
                if (this.#store.get().embedded) this.#linked.span(span);
            },
            lostSight: () => this.#dispatch({ kind: 'pause' }),
            nothingThere: () => {
                this.#parts.notices.toast('No data is stored for that time.');
                if (this.#painter.lacksMoment()) this.#dispatch({ kind: 'look_back', moment: null });
            },
        });
        this.#navigation.expect(view);
        this.#painter = new Painter(this.#parts, () => ({
            view: this.#drawn(),
            info: this.#symbols.find(this.#store.get().symbol),
            range: this.#parts.market.baseRange ?? this.#shownRange,
            speed: this.#symbols.speed(),
            alerts: this.#alerts.waiting(estimateOf(this.#store.get().symbol)),
        }));
        this.#past = new Past(this.#painter, this.#navigation, this.#parts.notices);
        this.#toolbar = new Toolbar(
            (action) => this.#dispatch(action),
            (range) => this.#pickRange(range),
            (symbol) => this.#dispatch({ kind: 'open', symbol }),
        );
    }

    start(): void {
        const { chart, notices } = this.#parts;
        chart.onPoint(() => this.#frames.mark(DIRTY.tooltip));
        chart.onCross((time) => this.#linked.cross(time));
        chart.onMenu((point) => void this.#setAlertAt(point.price));
        new Measure(byId('chart', HTMLElement), byId('pane', HTMLElement), {
            at: (x, y) => chart.at(x, y),
            heat: () => this.#parts.market.heat,
            side: () => sideFilter(this.#store.get().side),
            decimals: () => this.#parts.market.decimals,
        });
        this.#listenToButtons();
        fillHelp(byId('keys', HTMLDialogElement));
        listen(
            (command) => this.#command(command),
            (range) => this.#pickRange(range),
        );
        window.addEventListener('popstate', () => this.#store.moved());
        this.#store.start();
        this.#showTools();
        this.#linked.show(this.#store.get());
        this.#player.follow(this.#store.get());
        setInterval(() => {
            this.#system.check();
            this.#frames.mark(DIRTY.badge);
        }, BADGE_EVERY_MS);
        notices.show({ kind: 'loading', what: 'Loading the list of symbols' });
        void this.#symbols.load();
    }

    #listenToButtons(): void {
        const exporting = byId('exports', HTMLDialogElement);
        byId('help', HTMLButtonElement).addEventListener('click', () => this.#command('help'));
        byId('go-to', HTMLButtonElement).addEventListener('click', () => this.#command('date'));
        byId('full', HTMLButtonElement).addEventListener('click', () => this.#command('full'));
        byId('add-chart', HTMLButtonElement).addEventListener('click', () => this.#command('chart'));
        byId('find', HTMLButtonElement).addEventListener('click', () => this.#command('symbol'));
        byId('shot', HTMLButtonElement).addEventListener('click', () => exporting.showModal());
        exporting.addEventListener('click', (event) => {
            const { target } = event;
            // The buttons of index.html.
            const kind = target instanceof HTMLElement ? (target.dataset.export as ExportKind | undefined) : undefined;
            if (kind !== undefined) void this.#export(kind);
            if (kind !== undefined || target === exporting) exporting.close();
        });
    }

    // --- commands ---

    #dispatch(action: Action): void {
        this.#store.dispatch(action);
    }

    #set(part: Extract<Action, { kind: 'set' }>['part']): void {
        this.#dispatch({ kind: 'set', part });
    }

    #command(command: Command): void {
        const { chart, market } = this.#parts;
        switch (command) {
            case 'left':
                return chart.pan(-PAN_SHARE);
            case 'right':
                return chart.pan(PAN_SHARE);
            case 'zoom_in':
                return chart.zoom(ZOOM_FACTOR);
            case 'zoom_out':
                return chart.zoom(1 / ZOOM_FACTOR);
            case 'fit':
                this.#navigation.showWhole();
                chart.markPrice(null);
                // The range up to now cannot be shown as of a moment before it.
                if (this.#painter.lacksMoment()) this.#dispatch({ kind: 'look_back', moment: null });
                return this.#dispatch({ kind: 'span', span: null });
            case 'back':
                return this.#stepBack(-1);
            case 'forward':
                return this.#stepBack(1);
            case 'now':
                return this.#dispatch({ kind: 'look_back', moment: null });
            case 'play':
                return this.#playOrPause();
            case 'slower':
            case 'faster':
                return this.#set({ speed: otherSpeed(this.#store.get().speed, command === 'slower' ? -1 : 1) });
            case 'scale':
            case 'colours':
            case 'side':
            case 'pane':
            case 'axis':
            case 'zone':
                return this.#dispatch({ kind: 'next', what: command });
            case 'theme':
                return this.#set({ theme: this.#drawn().theme === 'dark' ? 'light' : 'dark' });
            case 'events':
            case 'swept':
            case 'near':
                return this.#dispatch({ kind: 'toggle', what: command });
            case 'watch':
            case 'walls':
            case 'tape':
            case 'alerts':
            case 'accuracy':
            case 'measured':
                return this.#dispatch({ kind: 'panel', panel: command });
            case 'chart':
                return this.#addChart();
            case 'panel':
                return byId('panels', HTMLButtonElement).click();
            case 'screenshot':
                return void this.#export('png');
            case 'refresh':
                // What is live needs none; this is for those who want to be sure.
                return market.reload(0);
            case 'date':
                return this.#openDate();
            case 'full':
                return void toggleFullScreen();
            case 'symbol':
                return this.#search.open(this.#symbols.everything(), (symbol) => this.#dispatch({ kind: 'open', symbol }));
            case 'help':
                return byId('keys', HTMLDialogElement).showModal();
        }
    }

    #playOrPause(): void {
        const { playing, pane } = this.#store.get();
        if (playing) return this.#dispatch({ kind: 'pause' });
        const moment = this.#painter.moment() ?? this.#player.beginning();
        if (moment !== null && pane === 'heatmap') this.#dispatch({ kind: 'play', moment });
    }

    #replayFrom(time: number): void {
        const { chart, market } = this.#parts;
        const stored = market.stored();
        const viewport = chart.viewport();
        if (stored === null || viewport === null) return;
        const moment = Math.max(time, stored.first);
        this.#dispatch({ kind: 'play', moment });
        this.#navigation.goToSpan(around(viewport, moment));
    }

    #stepBack(way: -1 | 1): void {
        const span = this.#parts.market.reach()?.span ?? null;
        if (span === null || this.#store.get().pane !== 'heatmap' || this.#painter.lacksMoment()) return;
        this.#dispatch({ kind: 'look_back', moment: stepped(span, this.#painter.moment(), way) });
    }

    #openDate(): void {
        const stored = this.#parts.market.stored();
        const viewport = this.#parts.chart.viewport();
        if (stored === null || this.#store.get().pane !== 'heatmap') return;
        const middle = viewport === null ? stored.now : (viewport.from + viewport.to) / 2;
        this.#date.open(this.#store.get().zone, middle, stored.first, stored.now);
    }

    #pickRange(range: string): void {
        if (this.#offered.has(range) && range !== this.#shownRange) this.#dispatch({ kind: 'open', range });
    }

    #goTo(price: number, title: string): void {
        if (this.#store.get().pane !== 'heatmap') this.#set({ pane: 'heatmap' });
        this.#parts.chart.markPrice(price, title);
    }

    async #export(kind: ExportKind): Promise<void> {
        const view = this.#store.get();
        const info = this.#symbols.find(view.symbol);
        const range = this.#parts.market.baseRange ?? this.#shownRange;
        const context = { parts: this.#parts, painter: this.#painter, view: this.#drawn(), info, range };
        const why = await import('./exports.ts').then(
            ({ exportAs }) => exportAs(kind, context),
            () => 'The code for that could not be loaded; try again when the server is back.',
        );
        if (why !== null) this.#parts.notices.toast(why);
    }

    // --- what a changed view asks for ---

    #viewChanged(next: View, previous: View): void {
        if (next.symbol !== previous.symbol || next.range !== previous.range) {
            this.#navigation.expect(next);
            this.#open();
        }
        this.#showTools();
        this.#linked.show(next);
        if (next.pane !== previous.pane || next.opened !== previous.opened) this.#openPane();
        if (next.zone !== previous.zone) this.#painter.foot();
        if (next.panel === 'alerts' && previous.panel !== 'alerts') void this.#alerts.loaded()?.feed.refresh();
        this.#parts.market.setInterval(next.interval);
        if (next.symbol === previous.symbol && next.range === previous.range) {
            if (next.span !== previous.span) this.#navigation.address(next.span);
            if (next.playing && next.moment !== null) this.#navigation.follow(next.moment);
        }
        this.#player.follow(next);
        // A replay changes the moment alone, many times a second: nothing is coloured anew for that.
        if (isSameButFor(['moment', 'playing', 'speed', 'span'], next, previous)) return this.#frames.mark(DIRTY.live);
        this.#frames.mark(DIRTY.look | DIRTY.live | DIRTY.map);
    }

    /** The view with the theme that is on the screen. */
    #drawn(): DrawnView {
        return drawn(this.#store.get(), this.#system.get());
    }

    #showTools(): void {
        this.#toolbar.show(this.#store.get(), this.#shownRange, this.#drawn().theme);
    }

    #themeChanged(): void {
        this.#showTools();
        this.#frames.mark(DIRTY.look | DIRTY.live | DIRTY.map);
    }

    #openPane(): void {
        const { map } = this.#parts;
        const view = this.#store.get();
        const info = this.#symbols.find(view.symbol);
        if (view.pane === 'map' && info !== undefined) map.open(info, view.opened);
        if (view.pane === 'heatmap') map.close();
        this.#loaded(true);
        this.#painter.foot();
    }

    #mapFailed(why: string | null): void {
        if (this.#store.get().pane === 'map') this.#parts.notices.show(why === null ? null : { kind: 'failed', why });
    }

    // --- further charts ---

    #addChart(): void {
        const { charts, embedded } = this.#store.get();
        if (embedded) return;
        if (charts.length >= LINKED_MAX) return this.#parts.notices.toast(`At most ${LINKED_MAX + 1} charts stand side by side.`);
        // What the open symbol is made of is there to be compared.
        const { base } = partsOf(this.#store.get().symbol);
        this.#search.open([...this.#symbols.parts(base), ...this.#symbols.all()], (symbol) => {
            if (!this.#store.get().charts.includes(symbol)) this.#dispatch({ kind: 'chart', symbol });
        });
    }

    /** Settings of the page that holds this chart; the symbol is this one's own. */
    #follow(view: View): void {
        this.#store.adopt({ ...view, symbol: this.#store.get().symbol });
    }

    #followSpan(span: TimeSpan | null): void {
        if (span === null) this.#command('fit');
        else this.#navigation.goToSpan(span);
    }

    // --- panels and alerts ---

    #panels(): PanelLoaders {
        return panelLoaders(this.#api, this.#alerts, this.#symbols, {
            goTo: (price, title) => this.#goTo(price, title),
            setAlert: (draft) => this.#setAlert(draft),
            openAlert: (symbol, price, title) => this.#openAlert(symbol, price, title),
            proposal: () => this.#proposal(),
            alertsChanged: () => this.#alertsChanged(),
            open: (symbol) => this.#dispatch({ kind: 'open', symbol }),
            beside: (symbol) => this.#dispatch({ kind: 'chart', symbol }),
            find: (pick) => this.#search.open(this.#symbols.all(), pick),
            changed: () => this.#frames.mark(DIRTY.live),
        });
    }

    #setAlert(draft: Draft): void {
        if (this.#store.get().embedded) return;
        this.#set({ panel: 'alerts' });
        this.#parts.panel.propose(draft);
    }

    async #setAlertAt(price: number): Promise<void> {
        if (this.#store.get().embedded) return;
        try {
            const alerting = await this.#alerts.load();
            this.#setAlert(alerting.draftAt(this.#store.get().symbol, price, this.#painter.state()));
        } catch {
            this.#parts.notices.toast('Alerts could not be loaded; try again when the server is back.');
        }
    }

    #proposal(): Draft | null {
        const price = this.#parts.chart.pointed()?.price ?? this.#painter.state()?.price ?? null;
        return price === null ? null : (this.#alerts.loaded()?.draftAt(this.#store.get().symbol, price, this.#painter.state()) ?? null);
    }

    #alertsChanged(): void {
        this.#parts.panel.refresh();
        this.#frames.mark(DIRTY.live);
    }

    #openAlert(symbol: string, price: number | null, title: string): void {
        if (symbol !== this.#store.get().symbol && this.#symbols.find(symbol) !== undefined) this.#dispatch({ kind: 'open', symbol });
        if (price !== null) this.#goTo(price, title);
    }

    #marketMoved(): void {
        const alerting = this.#alerts.loaded();
        if (alerting === null) return;
        alerting.feed.due();
        const price = this.#parts.market.edge()?.snapshot.data.current_price ?? null;
        if (price !== null) alerting.prices.observe(estimateOf(this.#opened), price);
    }

    // --- loading ---

    #symbolsLoaded({ websocket, symbols }: Symbols): void {
        this.#parts.market.connect(websocket);
        const wanted = this.#store.get().symbol;
        const first = symbols[0]?.symbol ?? '';
        if (this.#symbols.find(wanted) === undefined) {
            if (wanted !== '') this.#parts.notices.toast(`${wanted} is not served here; this is ${first}.`);
            this.#dispatch({ kind: 'open', symbol: first });
        }
        this.#showSymbols();
        const before = this.#shownRange;
        this.#offerRanges();
        if (this.#opened === '' || this.#shownRange !== before) this.#open();
    }

    #showSymbols(): void {
        const { symbol: shown } = this.#store.get();
        const { base, venue } = partsOf(shown);
        const names = this.#symbols.all().map(({ symbol }) => symbol);
        const layers = this.#symbols.parts(base).filter(({ estimate }) => estimate !== undefined);
        const venues = [...(this.#symbols.find(base)?.venues ?? []), ...layers.map(({ symbol }) => partsOf(symbol).venue)];
        this.#toolbar.symbols(names, base, venues, venue, this.#symbols.isMeasured(shown));
    }

    #offerRanges(): void {
        const view = this.#store.get();
        const info = this.#symbols.find(view.symbol);
        if (info === undefined) return;
        // A young market grows into the chosen range while one watches.
        const last = this.#opened === info.symbol ? (this.#parts.market.edge()?.asOf ?? 0) : 0;
        this.#offered = rangesOf(info, last);
        this.#toolbar.offer(this.#offered);
        this.#shownRange = fitting(view.range, this.#offered);
    }

    #open(): void {
        const { tooltip, map, market, chart } = this.#parts;
        this.#offerRanges();
        const view = this.#store.get();
        const info = this.#symbols.find(view.symbol);
        if (info === undefined) return;
        this.#showTools();
        this.#showSymbols();
        byId('simulated', HTMLElement).hidden = !info.simulated;
        tooltip.hide();
        if (info.symbol !== this.#opened) this.#painter.forget(info.symbol);
        this.#opened = info.symbol;
        if (view.pane === 'map') map.open(info, view.opened);
        market.setInterval(view.interval);
        market.open(info, this.#shownRange, chart.barsMax());
    }

    /** Everything that was refused without it is asked for again. */
    #tokenRenewed(token: string): void {
        if (this.#opened !== '') this.#parts.market.renew(token);
        void this.#symbols.load();
        void this.#alerts.loaded()?.feed.refresh();
    }

    #statusChanged(): void {
        this.#frames.mark(DIRTY.badge);
        // A socket that is refused says nothing of tokens; an answer over HTTP does.
        if (this.#parts.market.connection().status === 'failed') void this.#symbols.load();
    }

    #tryNow(): void {
        if (this.#access.isRefused()) return this.#access.ask();
        if (this.#symbols.all().length === 0) void this.#symbols.load();
        else this.#parts.market.retryNow();
    }

    #preview(candles: Candles, decimals: number): void {
        const { pane, moment } = this.#store.get();
        // The newest candles are later than a moment that is looked back to.
        if (pane !== 'heatmap' || moment !== null) return;
        this.#painter.preview(candles, decimals);
        this.#parts.notices.show({ kind: 'loading_levels' });
    }

    #loaded(keepView: boolean): void {
        const { market, notices, chart } = this.#parts;
        const { load, heat } = market;
        const { symbol, pane, embedded } = this.#store.get();
        const range = this.#shownRange;
        if (load.kind !== 'loading' && load.kind !== 'idle') {
            this.#early.close();
            // In a frame of another page there is nothing to install, and nobody to alert.
            if (!embedded) {
                this.#settled();
                // The next picture tries again.
                this.#alerts.load().catch(() => {});
            }
        }
        if (load.kind === 'shown' && heat !== null) {
            notices.show(null);
            this.#painter.picture(keepView);
            this.#navigation.showDue();
            this.#past.update(this.#store.get());
            this.#frames.mark(DIRTY.live | DIRTY.look | DIRTY.badge);
            return;
        }
        if (pane === 'map' || (heat !== null && !market.isOpening)) return;
        if (heat === null && load.kind !== 'loading') chart.clear();
        notices.show(loadNotice(load, symbol, range, heat !== null));
    }

    /** Opens a longer range, up to the chosen one, as soon as the data fills it. */
    #grow(): void {
        // Somebody who has walked elsewhere stays there.
        if (this.#parts.market.load.kind !== 'shown' || this.#store.get().span !== null) return;
        const before = this.#shownRange;
        this.#offerRanges();
        if (this.#shownRange !== before) this.#open();
    }
}
