/**
 * One symbol over one range: fetches its picture, follows its live edge, and fetches again when the picture no longer fits.
 *
 * It owns the data (`heat`, `candles`, `events`) and the connection; it draws nothing. Everything that arrives is kept as
 * "newest" and reported by `changed`, so that a burst of messages costs one frame.
 */
import type { LiquidationsFrame, SourceHealth, StatusChange } from 'liqheat-client';
import type { Candles } from '../model/candles.ts';
import { type Coverage, LAYER_EVERY_MS } from '../model/coverage.ts';
import type { Heat } from '../model/heat.ts';
import { holesOf } from '../model/holes.ts';
import type { Reach } from '../model/playback.ts';
import { spanOf } from '../model/replay.ts';
import { SeenShares } from '../model/seen-shares.ts';
import type { Stored, Viewport } from '../model/tile-plan.ts';
import { marketOf } from '../model/venues.ts';
import type { Api } from '../transport/api.ts';
import type { LeverageLevels, Liquidation, SymbolInfo } from '../wire/answers.ts';
import type { GridHeader } from '../wire/grid.ts';
import { Away } from './away.ts';
import { Corrections } from './corrections.ts';
import { FinePrices } from './fine-prices.ts';
import { type FeedSighting, type LiveEdge, LiveFeed } from './live-feed.ts';
import type { Picture } from './picture.ts';
import { type LoadState, RangePicture, RELOAD_GAP_MS } from './range-picture.ts';
import { Realised, type RealisedQuery } from './realised.ts';
import { seenAtStart } from './seen-at-start.ts';

export interface MarketEvents {
    /** Candles of the range are there, and what lies under them is still on its way; there is no picture yet. */
    candles(candles: Candles, decimals: number): void;
    /** A new picture is there (or the state of loading changed). `keepView` is false where it is the first of its symbol and range. */
    loaded(keepView: boolean): void;
    /** Something live is waiting to be drawn. */
    changed(): void;
    statusChanged(): void;
    /** Something that was asked for is refused. */
    trouble(why: string): void;
}

/** While polling the states come seldom, so the candles between them are asked for by the clock. */
const CORRECT_EVERY_MS = 5_000;
/** Patched columns look right, so what they really were can wait. */
const PATCHED_GAP_MS = 15_000;

export class Market {
    readonly #api: Api;
    readonly #tell: MarketEvents;
    readonly #live: LiveFeed;
    readonly #corrections: Corrections;
    readonly #away: Away;
    readonly #prices: FinePrices;
    readonly #realised: Realised;
    readonly #base: RangePicture;
    readonly seen = new SeenShares();
    #info: SymbolInfo | null = null;
    #refresh: ReturnType<typeof setInterval> | undefined;

    constructor(api: Api, tell: MarketEvents) {
        this.#api = api;
        this.#tell = tell;
        this.#prices = new FinePrices(api, () => tell.changed());
        this.#realised = new Realised(api);
        this.#base = new RangePicture(api, {
            newest: () => this.#live.edge?.asOf,
            opening: () => tell.loaded(false),
            candles: (candles, decimals) => tell.candles(candles, decimals),
            came: (picture, isOpening) => this.#came(picture, isOpening),
            settled: (isOpening) => this.#settled(isOpening),
            shown: (header, signal) => this.#askMore(header, signal),
        });
        this.#away = new Away(api, {
            came: (picture, tiles) => this.#learnSeen(picture, tiles),
            changed: () => this.#walked(),
            trouble: (why) => tell.trouble(why),
        });
        this.#corrections = new Corrections(api);
        this.#live = new LiveFeed(api, {
            came: () => tell.changed(),
            begunAnew: () => this.#beginAnew(),
            liquidated: (frame) => this.#liquidated(frame),
            statusChanged: () => tell.statusChanged(),
            trouble: (why) => tell.trouble(why),
        });
    }

    /** What is on the screen. */
    get heat(): Heat | null {
        return this.#shown()?.heat ?? null;
    }

    /** Of what is on the screen: null of an estimate. */
    get coverage(): Coverage | null {
        return this.#shown()?.coverage ?? null;
    }

    get candles(): Candles | null {
        return this.#shown()?.candles ?? null;
    }

    /** The chosen range up to now, wherever one has walked to. */
    get base(): Picture | null {
        return this.#base.picture;
    }

    /** The range that the base shows; null before the first picture of a symbol. */
    get baseRange(): string | null {
        return this.#base.range;
    }

    /** Whether a range was chosen that there is no picture of yet. */
    get isOpening(): boolean {
        return this.#base.isOpening;
    }

    get load(): LoadState {
        return this.#base.load;
    }

    /** Of the market's prices; 2 before the first picture. */
    get decimals(): number {
        return this.#base.decimals;
    }

    /** Whether the server makes no planes by leverage for a picture of this size. */
    get isSplitRefused(): boolean {
        return this.#base.isSplitRefused;
    }

    /** Whether the picture on the screen is one that was walked to, and not that of the chosen range. */
    get isAway(): boolean {
        return this.#away.picture !== null;
    }

    /** Whether the picture on the screen reaches up to now. */
    get isLive(): boolean {
        return this.#shown()?.isLive ?? true;
    }

    #shown(): Picture | null {
        return this.#away.picture ?? this.#base.picture;
    }

    /** Connects; with `websocket` false (what the server says of itself) only by polling. Called again when that changes. */
    connect(websocket: boolean): void {
        this.#live.connect(websocket);
        this.#refresh ??= setInterval(() => {
            if (this.#live.status.status === 'polling') void this.#correct();
        }, CORRECT_EVERY_MS);
    }

    /** Goes on with another token: in place where the socket is open, with a new one otherwise. */
    renew(token: string): void {
        if (!this.#live.renewToken(token) || this.load.kind === 'failed') this.retryNow();
    }

    stop(): void {
        this.#base.stop();
        this.#away.end();
        clearInterval(this.#refresh);
        this.#live.disconnect();
    }

    /**
     * Looks at another symbol or range; `barsMax`: how many candles there is room for. The picture of another range of the same
     * symbol stays until the new one is there.
     */
    open(info: SymbolInfo, range: string, barsMax: number): void {
        if (this.#info?.symbol !== info.symbol) {
            this.#realised.reset();
            this.#live.follow(info);
            this.#away.reset(info.symbol, marketOf(info));
            this.seen.reset(info.first);
            this.#showNothing();
        } else this.#live.renewInfo(info);
        this.#info = info;
        this.#base.open(info, range, barsMax);
    }

    #showNothing(): void {
        this.#away.end();
        this.#realised.clear();
        this.#prices.reset();
    }

    /** The chart shows this stretch of time and prices; null for the chosen range. */
    look(viewport: Viewport | null): void {
        this.#away.look(viewport);
        if (this.base !== null) this.#away.go(this.#stored(), this.#base.interval);
    }

    /** Candles of this interval, or '' for those that fit. */
    setInterval(interval: string): void {
        if (interval === this.#base.interval) return;
        this.#base.setInterval(interval);
        if (this.base === null) return;
        if (this.#away.isLooking()) this.#away.go(this.#stored(), interval);
        else this.#base.fetch();
    }

    /** While the chart is held (dragged) its picture stays; what comes meanwhile is shown afterwards. */
    hold(isHeld: boolean): void {
        this.#away.hold(isHeld);
    }

    /** Somebody asks how amounts are split by leverage: planes for that are fetched from now on. */
    wantLeverages(): void {
        // Leverages of measured positions are not known.
        if (this.#info?.estimate !== undefined || !this.#base.split()) return;
        this.#away.split();
        if (this.load.kind === 'shown') this.#base.reload(0);
    }

    /** When the data begins and ends; null while that is not known. */
    stored(): { first: number; now: number } | null {
        return this.#stored();
    }

    /** The moments that the picture on the screen can be shown as of; null where it has none. */
    reach(): Reach | null {
        const { heat, candles } = this;
        const span = heat === null || candles === null ? null : spanOf(heat, candles);
        return span === null ? null : { span, isLive: this.isLive };
    }

    #stored(): Stored | null {
        const info = this.#info;
        const { base } = this;
        if (info === null || base === null) return null;
        const now = Math.max(this.#live.edge?.asOf ?? 0, base.heat.header.as_of);
        const { interval, baseBin, estimate } = info;
        const finest = estimate === undefined ? {} : { finest: { columnMs: LAYER_EVERY_MS, bin: baseBin } };
        return { first: Math.min(info.first ?? now, base.heat.start()), now, interval, baseBin, ...finest };
    }

    /** What answers say of how much was seen, and where the model had to begin anew. */
    #learnSeen({ candles }: Picture, headers: readonly GridHeader[]): void {
        for (const hole of holesOf(candles)) this.seen.hole(hole);
        for (const { as_of, seen_share } of headers) this.seen.add(as_of, seen_share);
    }

    /** Another picture is shown, or that of the range again. */
    #walked(): void {
        this.#prices.reset();
        this.#corrections.forget();
        this.#tell.loaded(true);
        this.#tell.changed();
        void this.#refreshEvents();
    }

    async #refreshEvents(): Promise<void> {
        const shown = this.#shown();
        const query = shown === null ? null : this.#realisedIn(shown);
        if (query !== null && (await this.#realised.read(query))) this.#tell.changed();
    }

    /** Realised liquidations of the picture on the screen, summed by candle, oldest first. */
    get events(): readonly Liquidation[] {
        return this.#realised.list();
    }

    /** Liquidations of the symbol as the socket brings them, oldest first; null where it does not, and they have to be asked for. */
    recent(): readonly Liquidation[] | null {
        return ['connected', 'slow'].includes(this.#live.status.status) ? this.#realised.recent() : null;
    }

    #liquidated(frame: LiquidationsFrame): void {
        if (!this.#realised.take(frame)) void this.#refreshEvents();
        this.#tell.changed();
    }

    #realisedIn({ heat, interval, isLive }: Picture): RealisedQuery | null {
        if (this.#info === null) return null;
        const from = heat.start();
        const to = isLive ? (this.#live.edge?.asOf ?? heat.header.as_of) : from + heat.columns() * heat.columnMs();
        return { symbol: marketOf(this.#info), from, to, interval, isLive };
    }

    /** Fetches the picture again, leaving pan and zoom alone. */
    reload(gapMs?: number): void {
        this.#base.reload(gapMs);
    }

    retryNow(): void {
        this.#base.fetch();
    }

    connection(): StatusChange {
        return this.#live.status;
    }

    feed(): FeedSighting {
        return this.#live.sighting();
    }

    /** The venues behind the symbol as last reported; empty where nothing is followed live. */
    sources(): readonly SourceHealth[] {
        return this.#live.sources();
    }

    /** The newest price known at a time, for distances: of now from the live state, of the past from finer candles. */
    priceAt(time: number): number | undefined {
        const { edge } = this.#live;
        const now = edge?.snapshot.data.current_price ?? null;
        if (edge !== null && now !== null && time >= edge.asOf) return now;
        const { heat, candles } = this;
        const info = this.#info;
        return info === null || heat === null || candles === null ? undefined : this.#prices.at(time, info, heat, candles);
    }

    edge(): LiveEdge | null {
        return this.#live.edge;
    }

    /** Moves the pictures to the newest live state; answers the bars of the shown one that changed. Called once a frame. `known`: levels by leverage. */
    advance(known: LeverageLevels | null): number[] {
        const shown = this.#shown();
        if (shown === null) return [];
        const corrections = this.#corrections.take();
        const changed = shown.isLive ? shown.candles.correct(corrections) : [];
        const { edge } = this.#live;
        if (edge === null) return changed;
        for (const picture of new Set([this.base, shown])) {
            if (picture?.isLive !== true) continue;
            const touched = this.#moveOn(picture, edge, known);
            if (picture === shown) changed.push(...touched);
        }
        return [...new Set(changed)].sort((a, b) => a - b);
    }

    #moveOn(picture: Picture, edge: LiveEdge, known: LeverageLevels | null): number[] {
        const { levels, current_price: price, positions_consumed: consumed } = edge.snapshot.data;
        const isBase = picture === this.base;
        const outcome = picture.heat.paint(edge.asOf, price, levels, known);
        if (outcome === 'outgrown') {
            this.#again(isBase, RELOAD_GAP_MS);
            return [];
        }
        if (outcome === 'patched') picture.isPatched = true;
        if (picture.isPatched) this.#again(isBase, PATCHED_GAP_MS);
        if (price === null) return [];
        const touched = picture.candles.touch(edge.asOf, price);
        if (picture !== this.#shown()) return touched;
        this.#prices.add(edge.asOf, price);
        const isUnheard = consumed > 0 && this.recent() === null;
        if (this.#corrections.isDue(touched.length, isUnheard)) void this.#correct();
        return touched;
    }

    /** The base, or what lies over it, no longer fits. */
    #again(isBase: boolean, gapMs: number): void {
        if (isBase) this.#base.reload(gapMs);
        else this.#away.again(this.#stored(), this.#base.interval, gapMs);
    }

    #beginAnew(): void {
        const info = this.#info;
        if (info === null) return;
        this.#away.reset(info.symbol, marketOf(info));
        this.seen.reset(info.first);
        this.#base.reload();
    }

    #came(picture: Picture | null, isOpening: boolean): void {
        if (picture === null) {
            if (isOpening) this.#showNothing();
            return;
        }
        if (isOpening) this.#away.end();
        this.#learnSeen(picture, [picture.heat.header]);
        this.#prices.reset();
    }

    #settled(isOpening: boolean): void {
        this.#tell.loaded(!isOpening);
        this.#live.load();
        if (this.load.kind !== 'failed' && this.#away.isLooking()) this.#away.go(this.#stored(), this.#base.interval);
    }

    /** What is shown with a picture, or says something about it, and is not needed for it. */
    async #askMore(header: GridHeader, signal: AbortSignal): Promise<void> {
        const info = this.#info;
        await this.#refreshEvents();
        const first = info === null ? null : await seenAtStart(this.#api, info, header, signal);
        if (first === null) return;
        this.seen.add(first.as_of, first.seen_share);
        this.#tell.changed();
    }

    /** The candles' highs and lows between live states, and liquidations since; both only while someone looks. */
    async #correct(): Promise<void> {
        const info = this.#info;
        if (info === null || this.load.kind !== 'shown' || document.visibilityState === 'hidden') return;
        if (this.#live.status.status === 'disconnected') return;
        this.#corrections.begin();
        const shown = this.#shown();
        if (shown?.isLive !== true) return;
        const { signal } = this.#base;
        const isWanted = (): boolean => shown === this.#shown();
        try {
            if (!(await this.#corrections.read(marketOf(info), shown, this.#live.edge?.asOf ?? 0, signal, isWanted))) return;
            const query = this.#realisedIn(shown);
            if (query !== null) await this.#realised.extend(query, signal, isWanted);
            this.#tell.changed();
        } catch {
            // The next round asks again; the badge already tells of a server that is gone.
        }
    }
}
