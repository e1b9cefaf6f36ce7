/** What keys and buttons do: each command as a change of the view, a move of the chart, or a dialog. */
import type { Market } from '../data/market.ts';
import { around, otherSpeed } from '../model/playback.ts';
import { stepped } from '../model/replay.ts';
import { partsOf } from '../model/venues.ts';
import type { HeatChart } from '../render/chart.ts';
import { type Action, LINKED_MAX, type Theme, type View } from '../state/view.ts';
import { byId } from '../ui/dom.ts';
import { toggleFullScreen } from '../ui/full-screen.ts';
import type { Command } from '../ui/keyboard.ts';
import { Dialogs } from './dialogs.ts';
import type { ExportKind } from './exports.ts';
import type { Navigation } from './navigation.ts';
import type { Painter } from './painter.ts';
import type { Player } from './player.ts';
import type { SymbolList } from './symbol-list.ts';

const PAN_SHARE = 0.15;
const ZOOM_FACTOR = 0.7;

export interface CommandContext {
    chart: HeatChart;
    market: Market;
    painter: Painter;
    navigation: Navigation;
    player: Player;
    symbols: SymbolList;
    view(): View;
    /** The theme on the screen. */
    theme(): Theme;
    dispatch(action: Action): void;
    export(kind: ExportKind): void;
    toast(why: string): void;
}

export class Commands {
    readonly #context: CommandContext;
    readonly #dialogs: Dialogs;

    constructor(context: CommandContext) {
        this.#context = context;
        this.#dialogs = new Dialogs({
            time: (time, isReplay) => (isReplay ? this.#replayFrom(time) : context.navigation.goToTime(time)),
            failed: () => context.toast('The code for that could not be loaded; try again when the server is back.'),
        });
    }

    run(command: Command): void {
        const { chart, market, dispatch, view, symbols } = this.#context;
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
                return this.#fit();
            case 'back':
                return this.#stepBack(-1);
            case 'forward':
                return this.#stepBack(1);
            case 'now':
                return dispatch({ kind: 'look_back', moment: null });
            case 'play':
                return this.#playOrPause();
            case 'slower':
            case 'faster':
                return dispatch({ kind: 'set', part: { speed: otherSpeed(view().speed, command === 'slower' ? -1 : 1) } });
            case 'scale':
            case 'colours':
            case 'side':
            case 'pane':
            case 'axis':
            case 'zone':
                return dispatch({ kind: 'next', what: command });
            case 'theme':
                return dispatch({ kind: 'set', part: { theme: this.#context.theme() === 'dark' ? 'light' : 'dark' } });
            case 'events':
            case 'swept':
            case 'near':
                return dispatch({ kind: 'toggle', what: command });
            case 'watch':
            case 'walls':
            case 'tape':
            case 'alerts':
            case 'accuracy':
            case 'measured':
                return dispatch({ kind: 'panel', panel: command });
            case 'chart':
                return this.#addChart();
            case 'panel':
                return byId('panels', HTMLButtonElement).click();
            case 'screenshot':
                return this.#context.export('png');
            case 'refresh':
                // What is live needs none; this is for those who want to be sure.
                return market.reload(0);
            case 'date':
                return this.#openDate();
            case 'full':
                return void toggleFullScreen();
            case 'symbol':
                return this.#dialogs.findSymbol(symbols.everything(), (symbol) => dispatch({ kind: 'open', symbol }));
            case 'help':
                return this.#dialogs.help();
        }
    }

    /** Lets somebody choose one of the symbols that have a market. */
    findMarket(pick: (symbol: string) => void): void {
        this.#dialogs.findSymbol(this.#context.symbols.all(), pick);
    }

    /** The range up to now, in full. */
    #fit(): void {
        const { chart, navigation, painter, dispatch } = this.#context;
        navigation.showWhole();
        chart.markPrice(null);
        // It cannot be shown as of a moment before it.
        if (painter.lacksMoment()) dispatch({ kind: 'look_back', moment: null });
        dispatch({ kind: 'span', span: null });
    }

    #playOrPause(): void {
        const { painter, player, view, dispatch } = this.#context;
        const { playing, pane } = view();
        if (playing) return dispatch({ kind: 'pause' });
        const moment = painter.moment() ?? player.beginning();
        if (moment !== null && pane === 'heatmap') dispatch({ kind: 'play', moment });
    }

    #replayFrom(time: number): void {
        const { chart, market, navigation, dispatch } = this.#context;
        const stored = market.stored();
        const viewport = chart.viewport();
        if (stored === null || viewport === null) return;
        const moment = Math.max(time, stored.first);
        dispatch({ kind: 'play', moment });
        navigation.goToSpan(around(viewport, moment));
    }

    #stepBack(way: -1 | 1): void {
        const { market, painter, view, dispatch } = this.#context;
        const span = market.reach()?.span ?? null;
        if (span === null || view().pane !== 'heatmap' || painter.lacksMoment()) return;
        dispatch({ kind: 'look_back', moment: stepped(span, painter.moment(), way) });
    }

    #openDate(): void {
        const { chart, market, view } = this.#context;
        const stored = market.stored();
        const viewport = chart.viewport();
        if (stored === null || view().pane !== 'heatmap') return;
        const middle = viewport === null ? stored.now : (viewport.from + viewport.to) / 2;
        this.#dialogs.findTime(view().zone, middle, { first: stored.first, last: stored.now });
    }

    #addChart(): void {
        const { symbols, view, dispatch, toast } = this.#context;
        const { charts, embedded, symbol: open } = view();
        if (embedded) return;
        if (charts.length >= LINKED_MAX) return toast(`At most ${LINKED_MAX + 1} charts stand side by side.`);
        // What the open symbol is made of is there to be compared.
        const parts = symbols.parts(partsOf(open).base);
        this.#dialogs.findSymbol([...parts, ...symbols.all()], (symbol) => {
            if (!view().charts.includes(symbol)) dispatch({ kind: 'chart', symbol });
        });
    }
}
