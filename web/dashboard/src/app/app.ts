/** Puts the page together: what is dispatched where, what is loaded when. Drawing is the painter's. */
import { LayerFacts } from '../data/layer-facts.ts';
import { Leverages } from '../data/leverages.ts';
import { Market } from '../data/market.ts';
import { SeriesData } from '../data/series.ts';
import { VenueBegins } from '../data/venue-begins.ts';
import type { Candles } from '../model/candles.ts';
import { estimateOf } from '../model/venues.ts';
import { MapPane } from '../panels/map-pane.ts';
import { type PanelLoaders, SidePanel } from '../panels/side-panel.ts';
import { HeatChart } from '../render/chart.ts';
import { type Action, type DrawnView, drawn, isSameButFor, sideFilter, type TimeSpan, type View } from '../state/view.ts';
import { browserPlace, ViewStore } from '../state/view-store.ts';
import { Api } from '../transport/api.ts';
import type { EarlyAnswers } from '../transport/early.ts';
import { byId } from '../ui/dom.ts';
import { Header } from '../ui/header.ts';
import { type Command, listen } from '../ui/keyboard.ts';
import { Legend } from '../ui/legend.ts';
import { LeverageChips } from '../ui/leverage-chips.ts';
import { Measure } from '../ui/measure.ts';
import { failureNotice, loadNotice, Notices } from '../ui/notices.ts';
import { Scrubber } from '../ui/scrubber.ts';
import { SystemTheme } from '../ui/system-theme.ts';
import { Toolbar } from '../ui/toolbar.ts';
import { Tooltip } from '../ui/tooltip.ts';
import { Access } from './access.ts';
import { Alerts } from './alerts.ts';
import { AlertsOnChart } from './alerts-on-chart.ts';
import { Commands } from './commands.ts';
import type { ExportKind } from './exports.ts';
import { DIRTY, Frames } from './frames.ts';
import { Linked } from './linked.ts';
import { Navigation } from './navigation.ts';
import { Opening } from './opening.ts';
import { Painter } from './painter.ts';
import { panelLoaders } from './panel-loaders.ts';
import type { Parts } from './parts.ts';
import { Past } from './past.ts';
import { Player } from './player.ts';
import { SymbolList } from './symbol-list.ts';

const BADGE_EVERY_MS = 1_000;

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
    readonly #navigation: Navigation;
    readonly #past: Past;
    readonly #commands: Commands;
    readonly #onChart: AlertsOnChart;
    readonly #opening: Opening;
    readonly #player = new Player({
        view: () => this.#store.get(),
        reach: () => (this.#navigation.isBusy() || this.#painter.lacksMoment() ? null : this.#parts.market.reach()),
        visible: () => this.#parts.chart.viewport(),
        came: (moment) => this.#dispatch({ kind: 'played', moment }),
    });
    /** `early`: what has been asked for already. `settled` hears when the first picture is there, or why there is none. */
    constructor(early: EarlyAnswers, { settled }: { settled(): void }) {
        this.#early = early;
        this.#api = new Api(new URL('.', document.baseURI), this.#access, early);
        this.#symbols = new SymbolList(this.#api, {
            loaded: (symbols) => this.#opening.listed(symbols),
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
                    this.#opening.grow();
                    this.#onChart.moved(this.#opening.symbol);
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
            range: this.#parts.market.baseRange ?? this.#opening.range,
            speed: this.#symbols.speed(),
            alerts: this.#alerts.waiting(estimateOf(this.#store.get().symbol)),
        }));
        this.#past = new Past(this.#painter, this.#navigation, this.#parts.notices);
        const context = {
            ...this.#parts,
            painter: this.#painter,
            view: () => this.#store.get(),
            toast: (why: string) => this.#parts.notices.toast(why),
        };
        this.#commands = new Commands({
            ...context,
            navigation: this.#navigation,
            player: this.#player,
            symbols: this.#symbols,
            theme: () => this.#drawn().theme,
            dispatch: (action) => this.#dispatch(action),
            export: (kind) => void this.#export(kind),
        });
        this.#onChart = new AlertsOnChart({
            ...context,
            alerts: this.#alerts,
            propose: (draft) => {
                this.#set({ panel: 'alerts' });
                this.#parts.panel.propose(draft);
            },
        });
        this.#toolbar = new Toolbar(
            (action) => this.#dispatch(action),
            (range) => this.#opening.pick(range),
            (symbol) => this.#dispatch({ kind: 'open', symbol }),
        );
        this.#opening = new Opening({
            ...context,
            symbols: this.#symbols,
            toolbar: this.#toolbar,
            dispatch: (action) => this.#dispatch(action),
            changed: () => this.#showTools(),
        });
    }

    start(): void {
        const { chart, notices } = this.#parts;
        chart.onPoint(() => this.#frames.mark(DIRTY.tooltip));
        chart.onCross((time) => this.#linked.cross(time));
        chart.onMenu((point) => void this.#onChart.setAt(point.price));
        new Measure(byId('chart', HTMLElement), byId('pane', HTMLElement), {
            at: (x, y) => chart.at(x, y),
            heat: () => this.#parts.market.heat,
            side: () => sideFilter(this.#store.get().side),
            decimals: () => this.#parts.market.decimals,
        });
        this.#listenToButtons();
        listen(
            (command) => this.#command(command),
            (range) => this.#opening.pick(range),
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
        this.#commands.run(command);
    }

    #goTo(price: number, title: string): void {
        if (this.#store.get().pane !== 'heatmap') this.#set({ pane: 'heatmap' });
        this.#parts.chart.markPrice(price, title);
    }

    async #export(kind: ExportKind): Promise<void> {
        const view = this.#store.get();
        const info = this.#symbols.find(view.symbol);
        const range = this.#parts.market.baseRange ?? this.#opening.range;
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
            this.#opening.open();
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
        this.#toolbar.show(this.#store.get(), this.#opening.range, this.#drawn().theme);
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
            setAlert: (draft) => this.#onChart.set(draft),
            openAlert: (symbol, price, title) => this.#openAlert(symbol, price, title),
            proposal: () => this.#onChart.proposal(),
            alertsChanged: () => this.#alertsChanged(),
            open: (symbol) => this.#dispatch({ kind: 'open', symbol }),
            beside: (symbol) => this.#dispatch({ kind: 'chart', symbol }),
            find: (pick) => this.#commands.findMarket(pick),
            changed: () => this.#frames.mark(DIRTY.live),
        });
    }

    #alertsChanged(): void {
        this.#parts.panel.refresh();
        this.#frames.mark(DIRTY.live);
    }

    #openAlert(symbol: string, price: number | null, title: string): void {
        if (symbol !== this.#store.get().symbol && this.#symbols.find(symbol) !== undefined) this.#dispatch({ kind: 'open', symbol });
        if (price !== null) this.#goTo(price, title);
    }

    // --- loading ---

    /** Everything that was refused without it is asked for again. */
    #tokenRenewed(token: string): void {
        if (this.#opening.symbol !== '') this.#parts.market.renew(token);
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
        const range = this.#opening.range;
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
}
