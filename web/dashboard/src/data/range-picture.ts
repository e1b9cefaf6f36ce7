/**
 * The picture of the chosen range up to now: fetched when the range is opened, again when it no longer fits, and after a while when
 * that failed. The one of another range of the same symbol stays until the new one is there.
 */
import type { Candles } from '../model/candles.ts';
import { RANGES, type Range, rangeById } from '../model/ranges.ts';
import { type Api, ApiError, retryMs } from '../transport/api.ts';
import type { SymbolInfo } from '../wire/answers.ts';
import type { GridHeader } from '../wire/grid.ts';
import { Picture } from './picture.ts';
import { decimalsOf, type FetchedRange, fetchRange } from './range-fetch.ts';

export type LoadState =
    | { kind: 'idle' }
    | { kind: 'loading' }
    | { kind: 'shown' }
    | { kind: 'empty' }
    | { kind: 'failed'; status: number; why: string };

export interface RangePictureEvents {
    /** Market time of the newest state; undefined before the first. */
    newest(): number | undefined;
    /** A range is asked for that there is no picture of yet. */
    opening(): void;
    /** Candles of the range are there before its levels, and there is no picture yet. */
    candles(candles: Candles, decimals: number): void;
    /** A picture is there, the first of its symbol and range with `isOpening`; null where the range has no data. */
    came(picture: Picture | null, isOpening: boolean): void;
    /** The same a moment later, or no answer came: `load` says. */
    settled(isOpening: boolean): void;
    /** What else is asked for with a picture may be asked for now, until `signal`. */
    shown(header: GridHeader, signal: AbortSignal): Promise<void>;
}

/** What no longer fits is fetched again not more often than this. */
export const RELOAD_GAP_MS = 4_000;
const RETRY_MS = 3_000;

export class RangePicture {
    readonly #api: Api;
    readonly #tell: RangePictureEvents;
    #info: SymbolInfo | null = null;
    #range: Range = RANGES[0] as Range;
    #picture: Picture | null = null;
    /** The range of the picture: while another one is on its way, the one before. */
    #shownRange: Range | null = null;
    /** The wanted candles; '' for those that fit. */
    #interval = '';
    #barsMax = 1;
    /** Two planes are enough for a first picture; those by leverage are several times as many. */
    #wantsSplit = false;
    #isSplitRefused = false;
    #load: LoadState = { kind: 'idle' };
    #decimals = 2;
    #abort = new AbortController();
    #loadedAt = 0;
    #retry: ReturnType<typeof setTimeout> | undefined;

    constructor(api: Api, tell: RangePictureEvents) {
        this.#api = api;
        this.#tell = tell;
    }

    /** Null before the first of a symbol. */
    get picture(): Picture | null {
        return this.#picture;
    }

    /** The range that the picture shows. */
    get range(): string | null {
        return this.#shownRange?.id ?? null;
    }

    /** Whether a range was chosen that there is no picture of yet. */
    get isOpening(): boolean {
        return this.#shownRange !== this.#range;
    }

    get load(): LoadState {
        return this.#load;
    }

    /** Of the market's prices; 2 before the first picture. */
    get decimals(): number {
        return this.#decimals;
    }

    /** Whether the server makes no planes by leverage for a picture of this size. */
    get isSplitRefused(): boolean {
        return this.#isSplitRefused;
    }

    get interval(): string {
        return this.#interval;
    }

    /** Ends with the picture: another symbol or range, or another attempt. */
    get signal(): AbortSignal {
        return this.#abort.signal;
    }

    /** Fetches this range of a symbol; `barsMax`: how many candles there is room for. */
    open(info: SymbolInfo, range: string, barsMax: number): void {
        if (info.symbol !== this.#info?.symbol) this.#forget();
        this.#info = info;
        this.#range = rangeById(range) ?? this.#range;
        this.#barsMax = barsMax;
        this.fetch();
    }

    /** Candles of this interval from the next fetch on. */
    setInterval(interval: string): void {
        this.#interval = interval;
    }

    /** Fetches planes by leverage besides, from now on; false where that is known. */
    split(): boolean {
        if (this.#wantsSplit) return false;
        this.#wantsSplit = true;
        return true;
    }

    /** Fetches the picture again, leaving pan and zoom alone. */
    reload(gapMs = RELOAD_GAP_MS): void {
        if (this.#load.kind !== 'loading' && Date.now() - this.#loadedAt >= gapMs) this.fetch();
    }

    fetch(): void {
        if (this.#info !== null) void this.#fetch(this.#info);
    }

    stop(): void {
        this.#abort.abort();
        clearTimeout(this.#retry);
    }

    #forget(): void {
        this.#picture = null;
        this.#shownRange = null;
    }

    async #fetch(info: SymbolInfo): Promise<void> {
        this.stop();
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        const range = this.#range;
        const isOpening = this.isOpening;
        const wanted = {
            info,
            range,
            interval: this.#interval,
            barsMax: this.#barsMax,
            newest: this.#tell.newest(),
            // Leverages of measured positions are not known.
            wantsSplit: this.#wantsSplit && info.estimate === undefined,
        };
        this.#load = { kind: 'loading' };
        if (isOpening) this.#tell.opening();
        try {
            const fetched = await fetchRange(this.#api, wanted, (candles, decimals) => this.#preview(candles, decimals), signal);
            if (signal.aborted) return;
            if (fetched === null) {
                if (isOpening) this.#forget();
                this.#load = { kind: 'empty' };
                this.#retryLater(signal, RETRY_MS);
            } else this.#take(fetched, range);
            this.#tell.came(fetched === null ? null : this.#picture, isOpening);
            this.#loadedAt = Date.now();
            this.#tell.settled(isOpening);
            // Somebody may have asked for leverages meanwhile.
            const lacksSplit = fetched?.grid.classes.length === 0 && !fetched.isRefused && info.estimate === undefined;
            if (this.#wantsSplit && lacksSplit) this.reload(0);
            if (fetched !== null) await this.#tell.shown(fetched.grid.header, signal);
        } catch (error) {
            if (signal.aborted) return;
            this.#load = {
                kind: 'failed',
                status: error instanceof ApiError ? error.status : -1,
                why: error instanceof Error ? error.message : String(error),
            };
            this.#retryLater(signal, retryMs(error, RETRY_MS));
            this.#tell.settled(isOpening);
        }
    }

    #take({ grid, candles, interval, isRefused }: FetchedRange, range: Range): void {
        const { header } = grid;
        this.#isSplitRefused = isRefused;
        this.#picture = new Picture(grid, candles, interval, { from: header.start, to: header.as_of }, true);
        this.#shownRange = range;
        this.#decimals = decimalsOf(candles, header.bin);
        this.#load = { kind: 'shown' };
    }

    #preview(candles: Candles, decimals: number): void {
        if (this.#picture === null && this.#load.kind === 'loading') this.#tell.candles(candles, decimals);
    }

    #retryLater(signal: AbortSignal, afterMs: number): void {
        this.#retry = setTimeout(() => {
            if (!signal.aborted) this.fetch();
        }, afterMs);
    }
}
