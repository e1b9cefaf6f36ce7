/** Draws the page from the view and the market's data, only ever from an animation frame. */
import type { Candles } from '../model/candles.ts';
import { coveredWords } from '../model/coverage.ts';
import { formatTime, zoneName } from '../model/format.ts';
import { badgeOf } from '../model/freshness.ts';
import type { Heat, LiveLevel, SideFilter } from '../model/heat.ts';
import { clusters } from '../model/quote.ts';
import { intervalName } from '../model/ranges.ts';
import { changeSince, momentIn, spanOf, stateAt } from '../model/replay.ts';
import { withSources } from '../model/sources.ts';
import { knownBy, studyPoints } from '../model/studies.ts';
import { estimateOf, isLayer } from '../model/venues.ts';
import { ASSUMED_SHOWN } from '../render/veil-primitive.ts';
import { sideFilter } from '../state/view.ts';
import { byId } from '../ui/dom.ts';
import { explain, rowsOf } from '../ui/tooltip.ts';
import type { Liquidation } from '../wire/answers.ts';
import { DIRTY } from './frames.ts';
import { Origin } from './origin.ts';
import type { Parts, Shown } from './parts.ts';

const SEEN_SHARE_LOW = 0.5;
const NO_EVENTS: readonly Liquidation[] = [];

/** Price and levels of now, or of the moment that is looked back to. */
export interface ShownState {
    price: number | null;
    /** Of the sides and leverages that are shown. */
    levels: readonly LiveLevel[];
    /** Height of a level. */
    bin: number;
    asOf: number | null;
}

/** What is looked back to, and the picture that it is in. */
interface LookedBack {
    heat: Heat;
    candles: Candles;
    /** On a boundary that the picture has. */
    moment: number;
}

/** What is looked back to is not in what is loaded. Nothing else may be shown in its place. */
interface NotLoaded {
    heat: null;
    moment: number;
}

/** Levels of the sides that are shown. */
function ofSide(levels: readonly LiveLevel[], side: SideFilter): readonly LiveLevel[] {
    if (side === 'both') return levels;
    return levels.map((level) => (side === 'long' ? { ...level, short_density: 0 } : { ...level, long_density: 0 }));
}

export class Painter {
    readonly #parts: Parts;
    readonly #shown: () => Shown;
    #eventsShown: readonly Liquidation[] | null = null;
    #studiesKey = '';
    #studiesEvents: readonly Liquidation[] | null = null;
    readonly #origin: Origin;

    constructor(parts: Parts, shown: () => Shown) {
        this.#parts = parts;
        this.#shown = shown;
        this.#origin = new Origin(parts, shown, () => this.moment());
    }

    /** Takes everything of the symbol before off the screen. */
    forget(symbol: string): void {
        const { header, chart, legend } = this.#parts;
        header.clear(symbol);
        chart.clear();
        legend.show(this.#shown().view, null);
        byId('foot', HTMLElement).textContent = '';
    }

    /** Candles are there, and what lies under them is on its way. */
    preview(candles: Candles, decimals: number): void {
        this.#parts.chart.preview(candles, decimals);
        byId('chart', HTMLElement).dataset.preview = 'true';
    }

    /** A new picture is there. */
    picture(keepView: boolean): void {
        const { market, chart } = this.#parts;
        const { heat, candles } = market;
        if (heat === null || candles === null) return;
        this.#filter();
        const host = byId('chart', HTMLElement);
        host.dataset.preview = 'false';
        host.ariaLabel = `${isLayer(heat.header.symbol) ? 'Measured liquidation levels' : 'Liquidation heatmap'} over time and price`;
        chart.show({ heat, candles, isLive: market.isLive }, market.decimals, keepView);
        // In the frame that draws it, not in the one after.
        chart.until(this.moment());
        this.#origin.drawCoverage();
        this.#eventsShown = null;
        this.#studiesEvents = null;
        this.foot();
    }

    draw(dirty: number): void {
        const { view } = this.#shown();
        const { chart, legend, map, market } = this.#parts;
        if (dirty & DIRTY.look) {
            this.#filter();
            chart.restyle(view);
            legend.show(view, chart.scale());
        }
        if (dirty & DIRTY.live) this.#drawLive();
        if (dirty & (DIRTY.map | DIRTY.live)) {
            const edge = market.edge();
            const state = { price: edge?.snapshot.data.current_price ?? null, asOf: edge?.asOf ?? null };
            map.draw(view.theme, state, view.hidden, market.decimals);
        }
        if (dirty & (DIRTY.map | DIRTY.look)) this.#drawChips();
        if (dirty & (DIRTY.badge | DIRTY.live)) this.#drawBadge();
        if (dirty & (DIRTY.tooltip | DIRTY.live | DIRTY.look) && view.pane === 'heatmap') this.#drawTooltip();
        if (dirty & (DIRTY.live | DIRTY.look)) this.#drawPanel();
    }

    /** The moment that is looked back to, on a boundary that the picture has where it is loaded; null for now. */
    moment(): number | null {
        return this.#lookedBack()?.moment ?? null;
    }

    /** Whether there is a picture, and the moment that is looked back to is in none. */
    lacksMoment(): boolean {
        return this.#parts.market.heat !== null && this.#lookedBack()?.heat === null;
    }

    /** What is looked back to is on the screen, or in the whole range after one has walked on from there. */
    #lookedBack(): LookedBack | NotLoaded | null {
        const { market } = this.#parts;
        const { heat, candles, base } = market;
        const wanted = this.#shown().view.moment;
        if (wanted === null) return null;
        if (heat === null || candles === null || base === null) return { heat: null, moment: wanted };
        const newest = spanOf(base.heat, base.candles);
        // The newest candle has not ended: that is now.
        if (newest === null || wanted > newest.last) return null;
        const begin = market.stored()?.first ?? wanted;
        for (const picture of [{ heat, candles }, base]) {
            const moment = momentIn(picture.heat, picture.candles, wanted, begin);
            if (moment !== null) return { heat: picture.heat, candles: picture.candles, moment };
        }
        return { heat: null, moment: wanted };
    }

    /** Price and levels as they are shown; null while there is no picture. */
    state(): ShownState | null {
        return this.#stateOf(this.#lookedBack());
    }

    #stateOf(back: LookedBack | NotLoaded | null): ShownState | null {
        const { market } = this.#parts;
        const { heat, candles } = market;
        const { view, info } = this.#shown();
        if (heat === null || candles === null || back?.heat === null) return null;
        const edge = market.edge();
        const live = edge?.snapshot.data;
        const whole = !heat.isFiltered();
        // Now is not always on the screen.
        const now = market.base?.heat ?? heat;
        const { price, levels } =
            back === null
                ? {
                      price: live?.current_price ?? candles.lastPrice() ?? null,
                      levels: whole ? (live?.levels ?? []) : now.newestLevels(),
                  }
                : stateAt(back.heat, back.candles, back.moment);
        return {
            price,
            levels: ofSide(levels, sideFilter(view.side)),
            bin: back !== null ? back.heat.header.bin : whole ? (info?.baseBin ?? now.header.bin) : now.header.bin,
            asOf: back?.moment ?? edge?.asOf ?? now.header.as_of,
        };
    }

    foot(): void {
        this.#origin.foot();
    }

    /** Takes the hidden leverages out of the picture. */
    #filter(): void {
        const { hidden } = this.#shown().view;
        const { market } = this.#parts;
        if (hidden.length > 0) market.wantLeverages();
        for (const heat of new Set([market.heat, market.base?.heat])) {
            heat?.filter(hidden.length === 0 ? null : new Set(heat.header.leverages.filter((each) => !hidden.includes(each))));
        }
    }

    #drawChips(): void {
        const { view, info } = this.#shown();
        const { market, map, chips } = this.#parts;
        const inMap = view.pane === 'map';
        const leverages = inMap ? map.leverages() : (info?.leverages ?? []);
        const whyNot =
            inMap || market.heat === null || !market.isSplitRefused || market.heat.isSplit()
                ? null
                : 'This picture is too large to be split by leverage';
        chips.show({ leverages, hidden: view.hidden, theme: view.theme, whyNot });
    }

    #drawLive(): void {
        const { market, chart, legend, leverages, scrubber } = this.#parts;
        const { view } = this.#shown();
        const { heat, candles } = market;
        const peak = chart.scale()?.peak;
        const known = heat?.isFiltered() === true ? leverages.newest(view.symbol) : null;
        chart.refresh(market.advance(known));
        if (chart.scale()?.peak !== peak) legend.show(view, chart.scale());
        const edge = market.edge();
        const stored = market.stored();
        if (stored !== null) chart.reach(stored.first, stored.now);
        this.#origin.draw();
        const back = this.#lookedBack();
        const moment = back?.moment ?? null;
        chart.until(moment);
        scrubber.show({
            span: market.reach()?.span ?? null,
            moment,
            asOf: edge?.asOf ?? heat?.header.as_of ?? null,
            zone: view.zone,
            playing: view.playing,
            speed: view.speed,
        });
        const events = view.events ? market.events : NO_EVENTS;
        if (events !== this.#eventsShown) {
            chart.events(events);
            byId('chart', HTMLElement).dataset.liquidated = String(events.reduce((sum, { usd }) => sum + usd, 0));
        }
        this.#eventsShown = events;
        this.#drawStudies(moment);
        this.#drawState(back);
        // Where the picture stands, for whoever looks at the page from outside.
        const shown = byId('chart', HTMLElement).dataset;
        shown.columns = String(heat?.columns() ?? 0);
        shown.columnMs = String(heat?.columnMs() ?? '');
        shown.start = String(heat?.start() ?? '');
        shown.bin = String(heat?.header.bin ?? '');
        shown.candleMs = String(candles?.intervalMs ?? '');
        shown.live = String(market.isLive);
        shown.asOf = String(edge?.asOf ?? '');
        shown.moment = back?.heat === null ? 'not loaded' : String(moment ?? '');
        shown.seams = String(this.#origin.seams());
    }

    #drawStudies(moment: number | null): void {
        const { market, chart, series } = this.#parts;
        const { candles } = market;
        const { studies, symbol } = this.#shown().view;
        if (studies.length === 0 || candles === null) return;
        const asOf = market.edge()?.asOf ?? candles.last();
        const span = { from: candles.first, to: candles.last() + candles.intervalMs };
        const interval = intervalName(candles.intervalMs);
        series.want(estimateOf(symbol), interval, span, asOf);
        const rows = series.rows();
        const newest = rows.at(-1);
        const key = [symbol, studies, interval, span.from, span.to, rows.length, newest?.volume, newest?.openInterest, moment].join();
        if (key === this.#studiesKey && this.#studiesEvents === market.events) return;
        this.#studiesKey = key;
        this.#studiesEvents = market.events;
        const times = [...candles.bars()].map(({ time }) => time);
        const points = studyPoints(times, candles.intervalMs, rows, market.events);
        chart.studies(moment === null ? points : knownBy(points, candles.intervalMs, moment), series.failure);
    }

    #drawState(back: LookedBack | NotLoaded | null): void {
        const { market, chart, header } = this.#parts;
        const { heat, candles, decimals, base } = market;
        const { view, range, alerts } = this.#shown();
        const state = this.#stateOf(back);
        if (back?.heat === null) {
            header.clear(view.symbol);
            chart.price(null);
        }
        if (state === null || heat === null || candles === null || base === null || back?.heat === null) return chart.profile([], 1);
        const { price, levels, bin } = state;
        chart.profile(levels, bin);
        if (price === null) return;
        chart.price(price);
        chart.alerts(alerts);
        const since =
            back === null
                ? { price: base.candles.at(base.heat.start())?.open ?? base.candles.firstOpen() ?? price, over: range }
                : changeSince(back.candles, back.moment, range);
        header.price(view.symbol, price, since?.price ?? price, since?.over ?? range, decimals);
        if (levels.length > 0 || heat.isFiltered()) {
            header.clusters(clusters(levels, price, base.heat.header.bin), sideFilter(view.side), decimals);
        }
    }

    #drawBadge(): void {
        const { market, header, notices } = this.#parts;
        const { view, speed } = this.#shown();
        const feed = market.feed();
        const connection = market.connection();
        const now = Date.now();
        const { state, asOf, heardAt, movedAt } = feed;
        const badge = badgeOf({ connection, feed: state, asOf, heardAt, movedAt, now, speed, isLayer: isLayer(view.symbol) });
        header.badge(withSources(badge, market.sources(), now));
        const shown = market.heat !== null;
        const seen = market.heat?.header.seen_share ?? null;
        const { status } = connection;
        if (shown && (status === 'disconnected' || status === 'failed')) {
            notices.banner('Connection lost. The picture stands still until the server is back.');
        } else if (shown && status === 'stale') {
            notices.banner('No new market data. The picture may be out of date.');
        } else if (shown && status === 'slow') {
            notices.banner('Connection slow - may miss updates.');
        } else if (shown && seen !== null && seen < SEEN_SHARE_LOW) {
            const share = Math.floor(seen * 100);
            const words = `Warming up: the model saw ${share} % of today's positions open and assumes the rest.`;
            notices.banner(words, 'plain', `warming up ${view.symbol}`);
        } else notices.banner(null);
    }

    #drawTooltip(): void {
        const { market, chart, tooltip, leverages } = this.#parts;
        const { view } = this.#shown();
        const pointed = chart.pointed();
        const side = sideFilter(view.side);
        const cell =
            market.heat === null || pointed === null
                ? null
                : explain(market.heat, pointed, { moment: this.moment(), side, priceAt: (time) => market.priceAt(time) });
        if (cell === null || pointed === null) return tooltip.hide();
        market.wantLeverages();
        const any = cell.longUsd + cell.shortUsd > 0;
        const now = cell.now && any && market.coverage === null ? leverages.between(view.symbol, cell.low, cell.high, side) : [];
        // What the picture knows of the past is rounded; of now the server is asked.
        const parts = now.length > 0 ? now.filter(({ leverage }) => !view.hidden.includes(leverage)) : cell.parts;
        const assumed = market.seen.assumedAt(cell.time + (market.heat?.columnMs() ?? 0));
        const caption = `${formatTime(cell.time, view.zone)} ${zoneName(cell.time, view.zone)}${cell.now ? ' · now' : ''}`;
        const rows = rowsOf(cell, parts, market.decimals, view.zone);
        if (any && assumed > ASSUMED_SHOWN) rows.push(['Assumed', `${Math.round(assumed * 100)} % of positions`]);
        if (market.coverage !== null) {
            const covered = market.coverage.at(cell.time);
            rows.push(['Measured', covered === null ? 'nothing at this time' : (coveredWords(covered) ?? 'unknown share')]);
        }
        tooltip.show(pointed, chart.paneSize(), caption, rows);
    }

    #drawPanel(): void {
        const { market, panel } = this.#parts;
        const { view } = this.#shown();
        panel.show({
            symbol: view.symbol,
            market: estimateOf(view.symbol),
            panel: view.panel,
            zone: view.zone,
            decimals: market.decimals,
            state: this.state(),
            isPast: this.moment() !== null,
            recent: market.recent(),
            heat: this.moment() === null ? (market.base?.heat ?? null) : market.heat,
        });
    }
}
