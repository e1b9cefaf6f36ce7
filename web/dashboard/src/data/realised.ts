/** Liquidations that really happened within the picture on the screen, summed by candle, oldest first. */
import { type Api, ApiError } from '../transport/api.ts';
import type { Liquidation } from '../wire/answers.ts';

const EVENTS_MAX = 10_000;

/** What is asked for: until `to`, by candles of `interval`. */
export interface RealisedQuery {
    symbol: string;
    from: number;
    to: number;
    interval: string;
}

export class Realised {
    readonly #api: Api;
    #list: readonly Liquidation[] = [];

    constructor(api: Api) {
        this.#api = api;
    }

    list(): readonly Liquidation[] {
        return this.#list;
    }

    clear(): void {
        this.#list = [];
    }

    /** Reads all of a picture; false where the answer is not wanted any more. # Throws when no answer came. */
    async read(query: RealisedQuery, signal: AbortSignal): Promise<boolean> {
        const list = await this.#ask(query, signal);
        if (signal.aborted) return false;
        this.#list = list;
        return true;
    }

    /**
     * Reads what is newer than what is there. The newest sum may have grown since, so it is read again and replaced.
     * `isWanted` is asked when the answer is there. # Throws when no answer came.
     */
    async extend(query: RealisedQuery, signal: AbortSignal, isWanted: () => boolean): Promise<void> {
        const from = this.#list.at(-1)?.time ?? query.from;
        const more = await this.#ask({ ...query, from }, signal);
        if (signal.aborted || !isWanted()) return;
        this.#list = [...this.#list.filter(({ time }) => time < from), ...more].slice(-EVENTS_MAX);
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
