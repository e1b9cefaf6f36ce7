/** Liquidations that really happened within the picture on the screen, summed by candle, oldest first: as read, and what came since. */
import type { LiquidationsFrame } from 'liqheat-client';
import { intervalMs } from '../model/ranges.ts';
import { withRows } from '../model/realised-sums.ts';
import { type Api, ApiError } from '../transport/api.ts';
import type { Liquidation } from '../wire/answers.ts';
import { Happened } from './happened.ts';

const EVENTS_MAX = 10_000;

/** What is asked for: until `to`, by candles of `interval`. */
export interface RealisedQuery {
    symbol: string;
    from: number;
    to: number;
    interval: string;
    /** Reaches up to now, so that what happens later belongs to it. */
    isLive: boolean;
}

export class Realised {
    readonly #api: Api;
    readonly #happened = new Happened();
    /** As read. */
    #sums: readonly Liquidation[] = [];
    #read: RealisedQuery | null = null;
    #list: readonly Liquidation[] = [];
    #abort = new AbortController();

    constructor(api: Api) {
        this.#api = api;
    }

    list(): readonly Liquidation[] {
        return this.#list;
    }

    /** As the socket brings them, oldest first; null before it does. */
    recent(): readonly Liquidation[] | null {
        return this.#happened.isHeard ? this.#happened.rows() : null;
    }

    clear(): void {
        this.#abort.abort();
        this.#sums = [];
        this.#read = null;
        this.#list = [];
    }

    /** Another symbol is followed. */
    reset(): void {
        this.clear();
        this.#happened.reset();
    }

    /** Takes what the socket brings; false where something may be missing or repeated, so that all is better read again. */
    take(frame: LiquidationsFrame): boolean {
        const isWhole = this.#happened.take(frame);
        if (isWhole) this.#follow();
        return isWhole;
    }

    /**
     * Reads all of a picture, in place of another one that is being read; false where no answer came, or it is not wanted any
     * more. What there is of the picture before stays until then.
     */
    async read(query: RealisedQuery): Promise<boolean> {
        this.#abort.abort();
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        try {
            const list = await this.#ask(query, signal);
            if (signal.aborted) return false;
            this.#took(query, list);
            return true;
        } catch {
            // The next picture asks again.
            return false;
        }
    }

    /**
     * Reads what is newer than what is there. The newest sum may have grown since, so it is read again and replaced.
     * `isWanted` is asked when the answer is there. # Throws when no answer came.
     */
    async extend(query: RealisedQuery, signal: AbortSignal, isWanted: () => boolean): Promise<void> {
        const from = this.#sums.at(-1)?.time ?? query.from;
        const more = await this.#ask({ ...query, from }, signal);
        if (signal.aborted || !isWanted()) return;
        this.#took(query, [...this.#sums.filter(({ time }) => time < from), ...more].slice(-EVENTS_MAX));
    }

    #took(query: RealisedQuery, sums: readonly Liquidation[]): void {
        this.#read = query;
        this.#sums = sums;
        this.#follow();
    }

    /** Earlier rows than what was read up to are in the sums, or come with the next ones that are read. */
    #follow(): void {
        const read = this.#read;
        if (read === null) return;
        const newer = read.isLive ? this.#happened.rows().filter(({ time }) => time > read.to) : [];
        this.#list = newer.length === 0 ? this.#sums : withRows(this.#sums, newer, intervalMs(read.interval)).slice(-EVENTS_MAX);
    }

    /** A server without that endpoint has none. */
    async #ask({ symbol, from, to, interval }: RealisedQuery, signal: AbortSignal): Promise<Liquidation[]> {
        const query = {
            symbol,
            start_time: new Date(from).toISOString(),
            end_time: new Date(Math.max(from, to) + 1).toISOString(),
            interval,
            limit: EVENTS_MAX,
        };
        try {
            return (await this.#api.liquidations(query, signal)).sort((a, b) => a.time - b.time);
        } catch (error) {
            if (error instanceof ApiError && error.status !== 0) return [];
            throw error;
        }
    }
}
