/** What states do not say: the highs and lows of candles between two of them. Fetched after a state, not by the clock, with sums of liquidations. */
import { intervalMs } from '../model/ranges.ts';
import type { Api } from '../transport/api.ts';
import type { Candle } from '../wire/answers.ts';
import type { Picture } from './picture.ts';

/** Those of a candle that has closed, at most this often. */
const CLOSED_GAP_MS = 900;
/** The open candle, whose price came with every state and whose liquidations came as they happened. */
const OPEN_GAP_MS = 60_000;
/** The same where the server does not send liquidations. */
const UNHEARD_GAP_MS = 5_000;
const CANDLES_MIN = 4;
const CANDLES_MAX = 1_000;

export class Corrections {
    readonly #api: Api;
    #newest: readonly Candle[] = [];
    /** By this machine's clock. */
    #askedAt = 0;

    constructor(api: Api) {
        this.#api = api;
    }

    /** Another picture is shown. */
    forget(): void {
        this.#newest = [];
    }

    /** What came since it was last asked. */
    take(): readonly Candle[] {
        const newest = this.#newest;
        this.#newest = [];
        return newest;
    }

    /** Whether it is time, after a state that touched this number of bars. `isUnheard`: it took levels, and liquidations do not come. */
    isDue(touched: number, isUnheard: boolean): boolean {
        const gap = touched > 1 ? CLOSED_GAP_MS : isUnheard ? UNHEARD_GAP_MS : OPEN_GAP_MS;
        return Date.now() - this.#askedAt > gap;
    }

    /** It is tried now. */
    begin(): void {
        this.#askedAt = Date.now();
    }

    /** Reads the newest candles of a picture, all that may have changed by `asOf`; false where `isWanted` says so by then. # Throws what `Api` throws. */
    async read(symbol: string, picture: Picture, asOf: number, signal: AbortSignal, isWanted: () => boolean): Promise<boolean> {
        const { interval } = picture;
        const since = (asOf - picture.correctedTo) / intervalMs(interval);
        const limit = Math.min(CANDLES_MAX, Math.max(CANDLES_MIN, Math.ceil(since) + 2));
        const newest = await this.#api.candles({ symbol, interval, limit }, signal);
        if (signal.aborted || !isWanted()) return false;
        this.#newest = newest;
        picture.correctedTo = newest.at(-1)?.time ?? picture.correctedTo;
        return true;
    }
}
