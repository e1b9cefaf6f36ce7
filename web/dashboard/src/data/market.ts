/**
 * One symbol over one range: fetches its picture, follows its live edge, and fetches again when the picture no longer fits.
 *
 * It owns the data (`heat`, `candles`, `events`) and the connection; it draws nothing. Everything that arrives is kept as
 * "newest" and reported by `changed`, so that a burst of messages costs one frame.
 */
import { FEED_STATES, type FeedState, HeatmapWebSocket, type SnapshotFrame, type SourceHealth, type StatusChange } from 'liqheat-client';
import type { Candles } from '../model/candles.ts';
import { marketDecimals } from '../model/format.ts';
import type { Heat } from '../model/heat.ts';
import { PriceTrack } from '../model/price-track.ts';
import { candleInterval, columnInterval, intervalMs, intervalsFrom, RANGES, type Range, rangeById } from '../model/ranges.ts';
import type { Stored, Viewport } from '../model/tile-plan.ts';
import { type Api, ApiError, type Query } from '../transport/api.ts';
import type { Candle, LeverageLevels, Liquidation, SymbolInfo } from '../wire/answers.ts';
import type { Grid } from '../wire/grid.ts';
import { Picture } from './picture.ts';
import { Walk } from './walk.ts';

export type LoadState =
    | { kind: 'idle' }
    | { kind: 'loading' }
    | { kind: 'shown' }
    | { kind: 'empty' }
    | { kind: 'failed'; status: number; why: string };

export interface MarketEvents {
    /** A new picture is there (or the state of loading changed). */
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

const COLUMNS_MAX = 1000;
/** How the server answers to more cells than it will make. */
const TOO_LARGE = 400;
const UPDATE_INTERVAL_S = 1;
/** Candles and liquidations are fetched after a state, not by the clock, and no more often than this. */
const CORRECT_GAP_MS = 900;
const EVENTS_GAP_MS = 5_000;
const QUIET_GAP_MS = 30_000;
/** While polling the states come seldom, so the candles between them are asked for by the clock. */
const CORRECT_EVERY_MS = 5_000;
const RELOAD_GAP_MS = 4_000;
/** Patched columns look right, so what they really were can wait. */
const PATCHED_GAP_MS = 15_000;
const RETRY_MS = 3_000;
/** What the server says to a token that it does not take in place of another. */
const INVALID_TOKEN = 'INVALID_TOKEN';
const EVENTS_MAX = 10_000;
const CORRECTED_CANDLES_MIN = 4;
const CORRECTED_CANDLES_MAX = 1_000;
/** Most candles that the server answers with. */
const CANDLES_MAX = 5_000;

export class Market {
    readonly #api: Api;
    readonly #tell: MarketEvents;
    readonly #socket: HeatmapWebSocket;
    readonly #walk: Walk;
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
    events: Liquidation[] = [];
    load: LoadState = { kind: 'idle' };
    /** Of the market's prices; 2 before the first picture. */
    decimals = 2;
    #info: SymbolInfo | null = null;
    #range: Range = RANGES[0] as Range;
    #barsMax = 1;
    #abort = new AbortController();
    #edge: LiveEdge | null = null;
    /** When its time last moved, by this machine's clock. */
    #movedAt = 0;
    /** Prices finer than the candles, for distances in the past; 'asked' while they are on their way. */
    #track: PriceTrack | 'asked' | null = null;
    #corrections: Candle[] = [];
    readonly #sources = new Map<string, readonly SourceHealth[]>();
    #epoch: string | undefined;
    #loadedAt = 0;
    #walkedAt = 0;
    #eventsAbort = new AbortController();
    /** When candles were last asked for, by this machine's clock. */
    #correctedAt = 0;
    #retry: ReturnType<typeof setTimeout> | undefined;
    #refresh: ReturnType<typeof setInterval> | undefined;

    constructor(api: Api, tell: MarketEvents) {
        this.#api = api;
        this.#tell = tell;
        this.#walk = new Walk(api, {
            ready: (picture) => this.#walked(picture),
            failed: (error) => {
                if (error instanceof ApiError && error.status !== 0) tell.trouble(error.message);
            },
        });
        this.#socket = new HeatmapWebSocket(api.socketUrl(), {
            token: () => api.token() ?? '',
            onError: (frame) => {
                if (frame.code === INVALID_TOKEN) tell.trouble(`The new token is not accepted: ${frame.message}`);
            },
            onSnapshot: (frame) => this.#live(frame),
            onStatusChange: () => tell.statusChanged(),
            onFeed: (frame) => {
                this.#sources.set(frame.symbol, frame.sources ?? []);
                tell.statusChanged();
            },
        });
    }

    /** What is on the screen. */
    get heat(): Heat | null {
        return this.#shown()?.heat ?? null;
    }

    get candles(): Candles | null {
        return this.#shown()?.candles ?? null;
    }

    /** The chosen range up to now, wherever one has walked to. */
    get base(): Picture | null {
        return this.#base;
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
        this.#socket.useSocket(websocket);
        this.#socket.connect();
        this.#refresh ??= setInterval(() => {
            if (this.#socket.status.status === 'polling') void this.#correct();
        }, CORRECT_EVERY_MS);
    }

    /** Goes on with another token: in place where the socket is open, with a new one otherwise. */
    renew(token: string): void {
        if (this.#socket.renewToken(token)) return;
        this.#socket.disconnect();
        this.#socket.connect();
        this.retryNow();
    }

    stop(): void {
        this.#abort.abort();
        this.#walk.reset('');
        clearTimeout(this.#retry);
        clearInterval(this.#refresh);
        this.#socket.disconnect();
    }

    /** Looks at another symbol or range; `barsMax`: how many candles there is room for. */
    open(info: SymbolInfo, range: string, barsMax: number): void {
        this.#barsMax = barsMax;
        const other = this.#info?.symbol !== info.symbol;
        if (other) {
            if (this.#info !== null) this.#socket.unsubscribe([this.#info.symbol]);
            this.#edge = null;
            this.#movedAt = 0;
            this.#epoch = undefined;
            this.#socket.subscribe([info.symbol], { updateInterval: UPDATE_INTERVAL_S, mode: 'delta', ack: true });
        }
        this.#info = info;
        this.#range = rangeById(range) ?? this.#range;
        if (other) this.#walk.reset(info.symbol);
        else this.#walk.stop();
        this.#base = null;
        this.#away = null;
        this.#waiting = null;
        this.#viewport = null;
        this.events = [];
        this.#track = null;
        void this.#fetch(false);
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
        else if (this.#base !== null) void this.#fetch(true);
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
        if (this.#wantsSplit) return;
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

    #stored(): Stored | null {
        const info = this.#info;
        const base = this.#base;
        if (info === null || base === null) return null;
        const now = Math.max(this.#edge?.asOf ?? 0, base.heat.header.as_of);
        return { first: Math.min(info.first ?? now, base.heat.start()), now, interval: info.interval, baseBin: info.baseBin };
    }

    #walked(picture: Picture): void {
        if (this.#viewport === null || this.#base === null) return;
        if (this.#isHeld) this.#waiting = picture;
        else this.#show(picture);
    }

    #show(picture: Picture | null): void {
        if (picture === this.#away) return;
        this.#away = picture;
        this.#walkedAt = Date.now();
        this.#track = null;
        this.#corrections = [];
        this.#tell.loaded(true);
        this.#tell.changed();
        void this.#refreshEvents();
    }

    async #refreshEvents(): Promise<void> {
        const shown = this.#shown();
        if (shown === null) return;
        this.#eventsAbort.abort();
        this.#eventsAbort = new AbortController();
        const { signal } = this.#eventsAbort;
        try {
            const events = await this.#eventsSince(shown.heat.start(), shown.interval, signal);
            if (signal.aborted) return;
            this.events = events;
            this.#tell.changed();
        } catch {
            // Circles of the picture before stay; the next one asks again.
        }
    }

    /** Fetches the picture again, leaving pan and zoom alone. */
    reload(gapMs = RELOAD_GAP_MS): void {
        if (this.load.kind === 'loading' || Date.now() - this.#loadedAt < gapMs) return;
        void this.#fetch(true);
    }

    retryNow(): void {
        clearTimeout(this.#retry);
        void this.#fetch(false);
    }

    connection(): StatusChange {
        return this.#socket.status;
    }

    feed(): { state: FeedState | null; heardAt: number; asOf: number | null; movedAt: number } {
        const known = this.#info === null ? undefined : this.#socket.state(this.#info.symbol);
        const asOf = known === undefined ? null : Date.parse(known.snapshot.timestamp);
        // Until the first heartbeat, the state in the list of symbols.
        const listed = FEED_STATES.find((state) => state === this.#info?.state) ?? null;
        return { state: known?.feed ?? listed, heardAt: known?.heardAt ?? 0, asOf, movedAt: this.#movedAt };
    }

    /** The venues behind the symbol as last reported; empty where nothing is followed live. */
    sources(): readonly SourceHealth[] {
        return this.#info === null ? [] : (this.#sources.get(this.#info.symbol) ?? []);
    }

    /**
     * The newest price known at a time, for distances: of now from the live state, of the past from candles no longer than a
     * column, which are fetched when somebody points for the first time.
     */
    priceAt(time: number): number | undefined {
        const edge = this.#edge;
        const now = edge?.snapshot.data.current_price ?? null;
        if (edge !== null && now !== null && time >= edge.asOf) return now;
        const { heat, candles } = this;
        if (heat === null || candles === null) return undefined;
        if (candles.intervalMs > heat.columnMs() && this.#track === null) void this.#fetchTrack(heat, candles);
        const fine = this.#track instanceof PriceTrack ? this.#track.at(time) : undefined;
        return fine ?? candles.endedPrice(time);
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
        if (this.#track instanceof PriceTrack) this.#track.add(edge.asOf, price);
        // What happened within a finished candle, and the liquidations since, are not in the states.
        const gap = touched.length > 1 ? CORRECT_GAP_MS : consumed > 0 ? EVENTS_GAP_MS : QUIET_GAP_MS;
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

    #live(frame: SnapshotFrame): void {
        if (frame.symbol !== this.#info?.symbol) return;
        const asOf = Date.parse(frame.timestamp);
        if (!Number.isFinite(asOf)) return;
        if (asOf !== this.#edge?.asOf) this.#movedAt = Date.now();
        this.#edge = { snapshot: frame, asOf };
        // Another epoch is another price grid or a restarted server: the old columns may not be continued.
        if (this.#epoch !== undefined && frame.epoch !== this.#epoch) {
            if (this.#info !== null) this.#walk.reset(this.#info.symbol);
            this.reload();
        }
        this.#epoch = frame.epoch;
        this.#tell.changed();
    }

    async #fetch(keepView: boolean): Promise<void> {
        const info = this.#info;
        if (info === null) return;
        this.#abort.abort();
        this.#abort = new AbortController();
        clearTimeout(this.#retry);
        const { signal } = this.#abort;
        const range = this.#range;
        const interval = this.#baseInterval(info);
        const stepMs = intervalMs(interval);
        const { symbol } = info;
        this.load = { kind: 'loading' };
        if (!keepView) this.#tell.loaded(false);
        try {
            const limit = Math.ceil(range.ms / stepMs) + 2;
            const [grid, all] = await Promise.all([
                this.#history({ symbol, range: range.id, columns: COLUMNS_MAX }, signal),
                this.#api.candles({ symbol, interval, limit }, signal),
            ]);
            if (signal.aborted) return;
            const { header } = grid;
            // The newest this many candles reach further back than the range where the data has holes.
            const candles = all.filter(({ time }) => time + stepMs > header.start);
            if (header.columns === 0 || header.rows === 0 || candles.length === 0) {
                this.load = { kind: 'empty' };
                this.#retryLater(signal);
            } else {
                const span = { from: header.start, to: header.as_of };
                this.#base = new Picture(grid, candles, interval, span, true);
                this.#track = null;
                this.decimals = marketDecimals(
                    candles.flatMap(({ high, low, close }) => [high, low, close]),
                    header.bin,
                );
                this.load = { kind: 'shown' };
            }
            this.#loadedAt = Date.now();
            this.#tell.loaded(keepView);
            if (this.#viewport !== null) this.look(this.#viewport);
            if (this.#wantsSplit && !this.#isSplitRefused && grid.classes.length === 0) this.reload(0);
            await this.#refreshEvents();
        } catch (error) {
            if (signal.aborted) return;
            this.load = {
                kind: 'failed',
                status: error instanceof ApiError ? error.status : -1,
                why: error instanceof Error ? error.message : String(error),
            };
            this.#retryLater(signal);
            this.#tell.loaded(keepView);
        }
    }

    #baseInterval(info: SymbolInfo): string {
        const range = this.#range;
        return intervalsFrom(info.interval).includes(this.#interval) && range.ms / intervalMs(this.#interval) <= CANDLES_MAX - 2
            ? this.#interval
            : candleInterval(range, info.interval, this.#barsMax);
    }

    async #fetchTrack(heat: Heat, candles: Candles): Promise<void> {
        const info = this.#info;
        if (info === null) return;
        this.#track = 'asked';
        const start = Math.max(heat.start(), candles.first);
        const end = heat.start() + heat.columns() * heat.columnMs();
        const interval = columnInterval({ id: '', ms: end - start }, info.interval, heat.columnMs(), CANDLES_MAX - 2);
        if (interval === null) return;
        const { signal } = this.#abort;
        const stepMs = intervalMs(interval);
        try {
            const found = await this.#api.candles({ symbol: info.symbol, interval, start_time: start, end_time: end }, signal);
            if (signal.aborted || heat !== this.heat) return;
            const track = new PriceTrack();
            for (const candle of found.slice(0, -1)) track.add(candle.time + stepMs, candle.close);
            this.#track = track;
            this.#tell.changed();
        } catch {
            // The candles of the chart answer meanwhile; the next picture asks again.
        }
    }

    /** Split by leverage where the picture is not too large for that. */
    async #history(query: Query, signal: AbortSignal): Promise<Grid> {
        if (!this.#wantsSplit) return this.#api.history(query, signal);
        try {
            const grid = await this.#api.history({ ...query, by: 'leverage' }, signal);
            this.#isSplitRefused = false;
            return grid;
        } catch (error) {
            if (error instanceof ApiError && error.status === TOO_LARGE) {
                this.#isSplitRefused = true;
                return this.#api.history(query, signal);
            }
            throw error;
        }
    }

    #retryLater(signal: AbortSignal): void {
        this.#retry = setTimeout(() => {
            if (!signal.aborted) void this.#fetch(this.#base !== null);
        }, RETRY_MS);
    }

    /** The candles' highs and lows between live states, and liquidations since; both only while someone looks. */
    async #correct(): Promise<void> {
        const info = this.#info;
        if (info === null || this.load.kind !== 'shown' || document.visibilityState === 'hidden') return;
        if (this.#socket.status.status === 'disconnected') return;
        this.#correctedAt = Date.now();
        const shown = this.#shown();
        if (shown?.isLive !== true) return;
        const { signal } = this.#abort;
        const { interval } = shown;
        try {
            const since = ((this.#edge?.asOf ?? 0) - shown.correctedTo) / intervalMs(interval);
            const limit = Math.min(CORRECTED_CANDLES_MAX, Math.max(CORRECTED_CANDLES_MIN, Math.ceil(since) + 2));
            const newest = await this.#api.candles({ symbol: info.symbol, interval, limit }, signal);
            if (signal.aborted || shown !== this.#shown()) return;
            this.#corrections = newest;
            shown.correctedTo = newest.at(-1)?.time ?? shown.correctedTo;
            // The newest sum may have grown since, so it is asked for again and replaced.
            const from = this.events.at(-1)?.time ?? shown.heat.start();
            const more = await this.#eventsSince(from, interval, signal);
            if (signal.aborted || shown !== this.#shown()) return;
            this.events = [...this.events.filter(({ time }) => time < from), ...more].slice(-EVENTS_MAX);
            this.#tell.changed();
        } catch {
            // The next round asks again; the badge already tells of a server that is gone.
        }
    }

    /** Realised liquidations, summed by candle; a server without that endpoint has none. */
    async #eventsSince(from: number, interval: string, signal: AbortSignal): Promise<Liquidation[]> {
        const info = this.#info;
        if (info === null) return [];
        const start = new Date(from).toISOString();
        const shown = this.#shown();
        const now = this.#edge?.asOf ?? shown?.heat.header.as_of ?? from;
        const until = shown === null || shown.isLive ? now : shown.heat.start() + shown.heat.columns() * shown.heat.columnMs();
        const end = new Date(Math.max(from, until) + 1).toISOString();
        try {
            const query = { symbol: info.symbol, start_time: start, end_time: end, interval, limit: EVENTS_MAX };
            return (await this.#api.liquidations(query, signal)).sort((a, b) => a.time - b.time);
        } catch (error) {
            if (error instanceof ApiError && error.status !== 0) return [];
            throw error;
        }
    }
}
