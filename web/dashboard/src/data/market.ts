/**
 * One symbol over one range: fetches its picture, follows its live edge, and fetches again when the picture no longer fits.
 *
 * It owns the data (`heat`, `candles`, `events`) and the connection; it draws nothing. Everything that arrives is kept as
 * "newest" and reported by `changed`, so that a burst of messages costs one frame.
 */
import type { FeedState, HeatmapOptions, LiquidationsFrame, SnapshotFrame, SourceHealth, StatusChange } from 'liqheat-client';
import { Candles } from '../model/candles.ts';
import { type Coverage, LAYER_EVERY_MS } from '../model/coverage.ts';
import { marketDecimals } from '../model/format.ts';
import type { Heat } from '../model/heat.ts';
import { holesOf } from '../model/holes.ts';
import type { Reach } from '../model/playback.ts';
import { intervalMs, RANGES, type Range, rangeById } from '../model/ranges.ts';
import { spanOf } from '../model/replay.ts';
import { SeenShares } from '../model/seen-shares.ts';
import type { Stored, Viewport } from '../model/tile-plan.ts';
import { marketOf } from '../model/venues.ts';
import { type Api, ApiError, retryMs } from '../transport/api.ts';
import type { Candle, LeverageLevels, Liquidation, SymbolInfo } from '../wire/answers.ts';
import type { GridHeader } from '../wire/grid.ts';
import { FinePrices } from './fine-prices.ts';
import { LiveConnection } from './live-connection.ts';
import { Picture } from './picture.ts';
import { rangeQueries } from './range-query.ts';
import { Realised, type RealisedQuery } from './realised.ts';
import { seenAtStart } from './seen-at-start.ts';
import { splitHistory } from './split-history.ts';
import { Walk } from './walk.ts';

export type LoadState =
    | { kind: 'idle' }
    | { kind: 'loading' }
    | { kind: 'shown' }
    | { kind: 'empty' }
    | { kind: 'failed'; status: number; why: string };

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

export interface LiveEdge {
    snapshot: SnapshotFrame;
    asOf: number;
}

const UPDATE_INTERVAL_S = 1;
/** Candles and sums of liquidations are fetched after a state, not by the clock: those of a candle that has closed, at most this often. */
const CLOSED_GAP_MS = 900;
/** The open candle, whose price came with every state and whose liquidations came as they happened. */
const OPEN_GAP_MS = 60_000;
/** The same where the server does not send liquidations. */
const UNHEARD_GAP_MS = 5_000;
/** While polling the states come seldom, so the candles between them are asked for by the clock. */
const CORRECT_EVERY_MS = 5_000;
const RELOAD_GAP_MS = 4_000;
/** Patched columns look right, so what they really were can wait. */
const PATCHED_GAP_MS = 15_000;
const RETRY_MS = 3_000;
/** What the server says to a token that it does not take in place of another. */
const INVALID_TOKEN = 'INVALID_TOKEN';
const CORRECTED_CANDLES_MIN = 4;
const CORRECTED_CANDLES_MAX = 1_000;

function decimalsOf(candles: readonly Candle[], bin: number): number {
    return marketDecimals(
        candles.flatMap(({ high, low, close }) => [high, low, close]),
        bin,
    );
}

export class Market {
    readonly #api: Api;
    readonly #tell: MarketEvents;
    readonly #live: LiveConnection;
    readonly #walk: Walk;
    readonly #prices: FinePrices;
    readonly #realised: Realised;
    /** The chosen range up to now. */
    #base: Picture | null = null;
    /** Where one has walked to; null while that is within the base. */
    #away: Picture | null = null;
    #viewport: Viewport | null = null;
    /** A picture that came while the chart was held. */
    #waiting: Picture | null = null;
    #isHeld = false;
    /** Two planes are enough for a first picture; those by leverage are several times as many. */
    #wantsSplit = false;
    #isSplitRefused = false;
    /** The wanted candles; '' for those that fit. */
    #interval = '';
    readonly seen = new SeenShares();
    load: LoadState = { kind: 'idle' };
    /** Of the market's prices; 2 before the first picture. */
    decimals = 2;
    #info: SymbolInfo | null = null;
    #range: Range = RANGES[0] as Range;
    /** The range that the base shows: while another one is on its way, the one before. */
    #baseRange: Range | null = null;
    #barsMax = 1;
    #abort = new AbortController();
    #edge: LiveEdge | null = null;
    /** When its time last moved, by this machine's clock. */
    #movedAt = 0;
    #corrections: Candle[] = [];
    readonly #sources = new Map<string, readonly SourceHealth[]>();
    #epoch: string | undefined;
    #loadedAt = 0;
    #walkedAt = 0;
    /** When candles were last asked for, by this machine's clock. */
    #correctedAt = 0;
    #retry: ReturnType<typeof setTimeout> | undefined;
    #refresh: ReturnType<typeof setInterval> | undefined;

    constructor(api: Api, tell: MarketEvents) {
        this.#api = api;
        this.#tell = tell;
        this.#prices = new FinePrices(api, () => tell.changed());
        this.#realised = new Realised(api);
        this.#walk = new Walk(api, {
            ready: (picture, tiles) => this.#walked(picture, tiles),
            failed: (error) => {
                if (error instanceof ApiError && error.status !== 0) tell.trouble(error.message);
            },
        });
        const options: HeatmapOptions = {
            token: () => api.token() ?? '',
            onError: (frame) => {
                if (frame.code === INVALID_TOKEN) tell.trouble(`The new token is not accepted: ${frame.message}`);
            },
            onSnapshot: (frame) => this.#came(frame),
            onLiquidations: (frame) => this.#liquidated(frame),
            onStatusChange: () => tell.statusChanged(),
            onFeed: (frame) => {
                this.#sources.set(frame.symbol, frame.sources ?? []);
                tell.statusChanged();
            },
        };
        this.#live = new LiveConnection(api.socketUrl(), options, {
            channels: ['heatmap', 'liquidations'],
            updateInterval: UPDATE_INTERVAL_S,
            mode: 'delta',
            ack: true,
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
        return this.#base;
    }

    /** The range that the base shows; null before the first picture of a symbol. */
    get baseRange(): string | null {
        return this.#baseRange?.id ?? null;
    }

    /** Whether a range was chosen that there is no picture of yet. */
    get isOpening(): boolean {
        return this.#baseRange !== this.#range;
    }

    /** Whether the picture on the screen is one that was walked to, and not that of the chosen range. */
    get isAway(): boolean {
        return this.#away !== null;
    }

    /** Whether the picture on the screen reaches up to now. */
    get isLive(): boolean {
        return this.#shown()?.isLive ?? true;
    }

    #shown(): Picture | null {
        return this.#away ?? this.#base;
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
        this.#abort.abort();
        this.#walk.reset('');
        clearTimeout(this.#retry);
        clearInterval(this.#refresh);
        this.#live.disconnect();
    }

    /**
     * Looks at another symbol or range; `barsMax`: how many candles there is room for. The picture of another range of the same
     * symbol stays until the new one is there.
     */
    open(info: SymbolInfo, range: string, barsMax: number): void {
        this.#barsMax = barsMax;
        const other = this.#info?.symbol !== info.symbol;
        if (other) {
            this.#edge = null;
            this.#movedAt = 0;
            this.#epoch = undefined;
            this.#realised.reset();
            this.#live.follow(info.symbol);
        }
        this.#info = info;
        this.#range = rangeById(range) ?? this.#range;
        if (other) {
            this.#walk.reset(info.symbol, marketOf(info));
            this.seen.reset(info.first);
            this.#showNothing();
        }
        void this.#fetch();
    }

    #showNothing(): void {
        this.#base = null;
        this.#baseRange = null;
        this.#comeBack();
        this.#realised.clear();
        this.#prices.reset();
    }

    /** From wherever one has walked to. */
    #comeBack(): void {
        this.#walk.stop();
        this.#away = null;
        this.#waiting = null;
        this.#viewport = null;
    }

    /** The chart shows this stretch of time and prices; null for the chosen range. */
    look(viewport: Viewport | null): void {
        this.#viewport = viewport;
        const base = this.#base;
        if (base === null) return;
        if (viewport === null) {
            this.#walk.stop();
            this.#waiting = null;
            this.#show(null);
            return;
        }
        const stored = this.#stored();
        if (stored !== null) this.#walk.go(viewport, stored, this.#interval);
    }

    /** Candles of this interval, or '' for those that fit. */
    setInterval(interval: string): void {
        if (interval === this.#interval) return;
        this.#interval = interval;
        if (this.#viewport !== null) this.look(this.#viewport);
        else if (this.#base !== null) void this.#fetch();
    }

    /** While the chart is held (dragged) its picture stays; what comes meanwhile is shown afterwards. */
    hold(isHeld: boolean): void {
        this.#isHeld = isHeld;
        const waiting = this.#waiting;
        if (isHeld || waiting === null) return;
        this.#waiting = null;
        this.#show(waiting);
    }

    /** Somebody asks how amounts are split by leverage: planes for that are fetched from now on. */
    wantLeverages(): void {
        // Leverages of measured positions are not known.
        if (this.#wantsSplit || this.#info?.estimate !== undefined) return;
        this.#wantsSplit = true;
        this.#walk.split();
        if (this.load.kind === 'shown') this.reload(0);
    }

    /** Whether the server makes no planes by leverage for a picture of this size. */
    get isSplitRefused(): boolean {
        return this.#isSplitRefused;
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
        const base = this.#base;
        if (info === null || base === null) return null;
        const now = Math.max(this.#edge?.asOf ?? 0, base.heat.header.as_of);
        const { interval, baseBin, estimate } = info;
        const finest = estimate === undefined ? {} : { finest: { columnMs: LAYER_EVERY_MS, bin: baseBin } };
        return { first: Math.min(info.first ?? now, base.heat.start()), now, interval, baseBin, ...finest };
    }

    #walked(picture: Picture, tiles: readonly GridHeader[]): void {
        this.#learnSeen(picture, tiles);
        if (this.#viewport === null || this.#base === null) return;
        if (this.#isHeld) this.#waiting = picture;
        else this.#show(picture);
    }

    /** What answers say of how much was seen, and where the model had to begin anew. */
    #learnSeen({ candles }: Picture, headers: readonly GridHeader[]): void {
        for (const hole of holesOf(candles)) this.seen.hole(hole);
        for (const { as_of, seen_share } of headers) this.seen.add(as_of, seen_share);
    }

    #show(picture: Picture | null): void {
        if (picture === this.#away) return;
        this.#away = picture;
        this.#walkedAt = Date.now();
        this.#prices.reset();
        this.#corrections = [];
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
        if (frame.symbol !== this.#info?.symbol) return;
        if (!this.#realised.take(frame)) void this.#refreshEvents();
        this.#tell.changed();
    }

    #realisedIn({ heat, interval, isLive }: Picture): RealisedQuery | null {
        if (this.#info === null) return null;
        const from = heat.start();
        const to = isLive ? (this.#edge?.asOf ?? heat.header.as_of) : from + heat.columns() * heat.columnMs();
        return { symbol: marketOf(this.#info), from, to, interval, isLive };
    }

    /** Fetches the picture again, leaving pan and zoom alone. */
    reload(gapMs = RELOAD_GAP_MS): void {
        if (this.load.kind === 'loading' || Date.now() - this.#loadedAt < gapMs) return;
        void this.#fetch();
    }

    retryNow(): void {
        void this.#fetch();
    }

    connection(): StatusChange {
        return this.#live.status;
    }

    feed(): { state: FeedState | null; heardAt: number; asOf: number | null; movedAt: number } {
        const known = this.#info === null ? undefined : this.#live.state(this.#info.symbol);
        const asOf = known === undefined ? null : Date.parse(known.snapshot.timestamp);
        // Until the first heartbeat, the state in the list of symbols.
        const listed = this.#info?.state ?? null;
        return { state: known?.feed ?? listed, heardAt: known?.heardAt ?? 0, asOf, movedAt: this.#movedAt };
    }

    /** The venues behind the symbol as last reported; empty where nothing is followed live. */
    sources(): readonly SourceHealth[] {
        return this.#info === null ? [] : (this.#sources.get(this.#info.symbol) ?? []);
    }

    /** The newest price known at a time, for distances: of now from the live state, of the past from finer candles. */
    priceAt(time: number): number | undefined {
        const edge = this.#edge;
        const now = edge?.snapshot.data.current_price ?? null;
        if (edge !== null && now !== null && time >= edge.asOf) return now;
        const { heat, candles } = this;
        const info = this.#info;
        return info === null || heat === null || candles === null ? undefined : this.#prices.at(time, info, heat, candles);
    }

    edge(): LiveEdge | null {
        return this.#edge;
    }

    /** Moves the pictures to the newest live state; answers the bars of the shown one that changed. Called once a frame. `known`: levels by leverage. */
    advance(known: LeverageLevels | null): number[] {
        const shown = this.#shown();
        if (shown === null) return [];
        const changed = shown.isLive ? shown.candles.correct(this.#corrections) : [];
        this.#corrections = [];
        const edge = this.#edge;
        if (edge === null) return changed;
        for (const picture of new Set([this.#base, shown])) {
            if (picture?.isLive !== true) continue;
            const touched = this.#moveOn(picture, edge, known);
            if (picture === shown) changed.push(...touched);
        }
        return [...new Set(changed)].sort((a, b) => a - b);
    }

    #moveOn(picture: Picture, edge: LiveEdge, known: LeverageLevels | null): number[] {
        const { levels, current_price: price, positions_consumed: consumed } = edge.snapshot.data;
        const isBase = picture === this.#base;
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
        // What happened between two states is in the candle, not in the states.
        const isUnheard = consumed > 0 && this.recent() === null;
        const gap = touched.length > 1 ? CLOSED_GAP_MS : isUnheard ? UNHEARD_GAP_MS : OPEN_GAP_MS;
        if (Date.now() - this.#correctedAt > gap) void this.#correct();
        return touched;
    }

    /** The base, or what lies over it, no longer fits. */
    #again(isBase: boolean, gapMs: number): void {
        if (isBase) return this.reload(gapMs);
        const stored = this.#stored();
        if (this.#viewport === null || stored === null || Date.now() - this.#walkedAt < gapMs) return;
        this.#walkedAt = Date.now();
        this.#walk.go(this.#viewport, stored, this.#interval);
    }

    #came(frame: SnapshotFrame): void {
        if (frame.symbol !== this.#info?.symbol) return;
        const asOf = Date.parse(frame.timestamp);
        if (!Number.isFinite(asOf)) return;
        if (asOf !== this.#edge?.asOf) this.#movedAt = Date.now();
        this.#edge = { snapshot: frame, asOf };
        // Another epoch is another price grid or a restarted server: the old columns may not be continued.
        if (this.#epoch !== undefined && frame.epoch !== this.#epoch) {
            if (this.#info !== null) {
                this.#walk.reset(this.#info.symbol, marketOf(this.#info));
                this.seen.reset(this.#info.first);
            }
            this.reload();
        }
        this.#epoch = frame.epoch;
        this.#tell.changed();
    }

    async #fetch(): Promise<void> {
        const info = this.#info;
        if (info === null) return;
        this.#abort.abort();
        this.#abort = new AbortController();
        clearTimeout(this.#retry);
        const { signal } = this.#abort;
        const range = this.#range;
        const isOpening = this.isOpening;
        const wantsSplit = this.#wantsSplit && info.estimate === undefined;
        const {
            interval,
            candles: candlesQuery,
            grid: gridQuery,
        } = rangeQueries(info, range, this.#interval, this.#barsMax, this.#edge?.asOf);
        const stepMs = intervalMs(interval);
        this.load = { kind: 'loading' };
        if (isOpening) this.#tell.loaded(false);
        try {
            const asked = this.#api.candles(candlesQuery, signal);
            if (this.#base === null) void this.#preview(asked, info, stepMs, signal);
            const [{ grid, isRefused }, all] = await Promise.all([splitHistory(this.#api, gridQuery, wantsSplit, signal), asked]);
            if (signal.aborted) return;
            this.#isSplitRefused = isRefused;
            const { header } = grid;
            // The newest this many candles reach further back than the range where the data has holes.
            const candles = all.filter(({ time }) => time + stepMs > header.start);
            if (header.columns === 0 || header.rows === 0 || candles.length === 0) {
                if (isOpening) this.#showNothing();
                this.load = { kind: 'empty' };
                this.#retryLater(signal, RETRY_MS);
            } else {
                if (isOpening) this.#comeBack();
                const span = { from: header.start, to: header.as_of };
                this.#base = new Picture(grid, candles, interval, span, true);
                this.#baseRange = range;
                this.#learnSeen(this.#base, [header]);
                this.#prices.reset();
                this.decimals = decimalsOf(candles, header.bin);
                this.load = { kind: 'shown' };
            }
            this.#loadedAt = Date.now();
            this.#tell.loaded(!isOpening);
            this.#live.load();
            if (this.#viewport !== null) this.look(this.#viewport);
            if (this.#wantsSplit && info.estimate === undefined && !this.#isSplitRefused && grid.classes.length === 0) this.reload(0);
            await this.#refreshEvents();
            await this.#askSeenAtStart(header, signal);
        } catch (error) {
            if (signal.aborted) return;
            this.load = {
                kind: 'failed',
                status: error instanceof ApiError ? error.status : -1,
                why: error instanceof Error ? error.message : String(error),
            };
            this.#retryLater(signal, retryMs(error, RETRY_MS));
            this.#tell.loaded(!isOpening);
            this.#live.load();
        }
    }

    /** Candles are a tenth of the picture's bytes, so over a slow line they come sooner. */
    async #preview(asked: Promise<Candle[]>, info: SymbolInfo, stepMs: number, signal: AbortSignal): Promise<void> {
        const all = await asked.catch((): Candle[] => []);
        const newest = all.at(-1);
        if (signal.aborted || newest === undefined || this.#base !== null || this.load.kind !== 'loading') return;
        const to = newest.time + stepMs;
        const candles = all.filter(({ time }) => time >= to - this.#range.ms);
        this.#tell.candles(new Candles(candles, stepMs, candles[0]?.time ?? to, to), decimalsOf(candles, info.baseBin));
    }

    async #askSeenAtStart(header: GridHeader, signal: AbortSignal): Promise<void> {
        const found = this.#info === null ? null : await seenAtStart(this.#api, this.#info, header, signal);
        if (found === null) return;
        this.seen.add(found.as_of, found.seen_share);
        this.#tell.changed();
    }

    #retryLater(signal: AbortSignal, afterMs: number): void {
        this.#retry = setTimeout(() => {
            if (!signal.aborted) void this.#fetch();
        }, afterMs);
    }

    /** The candles' highs and lows between live states, and liquidations since; both only while someone looks. */
    async #correct(): Promise<void> {
        const info = this.#info;
        if (info === null || this.load.kind !== 'shown' || document.visibilityState === 'hidden') return;
        if (this.#live.status.status === 'disconnected') return;
        this.#correctedAt = Date.now();
        const shown = this.#shown();
        if (shown?.isLive !== true) return;
        const { signal } = this.#abort;
        const { interval } = shown;
        try {
            const since = ((this.#edge?.asOf ?? 0) - shown.correctedTo) / intervalMs(interval);
            const limit = Math.min(CORRECTED_CANDLES_MAX, Math.max(CORRECTED_CANDLES_MIN, Math.ceil(since) + 2));
            const newest = await this.#api.candles({ symbol: marketOf(info), interval, limit }, signal);
            if (signal.aborted || shown !== this.#shown()) return;
            this.#corrections = newest;
            shown.correctedTo = newest.at(-1)?.time ?? shown.correctedTo;
            const query = this.#realisedIn(shown);
            if (query !== null) await this.#realised.extend(query, signal, () => shown === this.#shown());
            this.#tell.changed();
        } catch {
            // The next round asks again; the badge already tells of a server that is gone.
        }
    }
}
