/** Today's levels by leverage: asked for only while someone points at them or hides some of them, and seldom. */
import type { SideFilter } from '../model/heat.ts';
import { type Part, splitBetween } from '../model/leverage-split.ts';
import type { Api } from '../transport/api.ts';
import type { LeverageLevels } from '../wire/answers.ts';

const ASK_EVERY_MS = 4_000;
/** Older answers say nothing about now. */
const OLD_MS = 15_000;

export class Leverages {
    readonly #api: Api;
    readonly #arrived: () => void;
    #symbol = '';
    #levels: LeverageLevels | null = null;
    #askedAt = 0;
    #heardAt = 0;
    #abort = new AbortController();

    constructor(api: Api, arrived: () => void) {
        this.#api = api;
        this.#arrived = arrived;
    }

    /** What is known of a stretch of prices; asks for newer when that is old. */
    between(symbol: string, low: number, high: number, side: SideFilter): Part[] {
        const levels = this.newest(symbol);
        return levels === null ? [] : splitBetween(levels, low, high, side);
    }

    /** The newest answer, null where there is none or an old one; asks for newer. */
    newest(symbol: string): LeverageLevels | null {
        const now = Date.now();
        if (symbol !== this.#symbol) {
            this.#abort.abort();
            this.#abort = new AbortController();
            this.#symbol = symbol;
            this.#levels = null;
            this.#askedAt = 0;
        }
        if (now - this.#askedAt > ASK_EVERY_MS) void this.#ask(now);
        return now - this.#heardAt > OLD_MS ? null : this.#levels;
    }

    async #ask(now: number): Promise<void> {
        this.#askedAt = now;
        const { signal } = this.#abort;
        try {
            const levels = await this.#api.levels({ symbol: this.#symbol }, signal);
            if (signal.aborted) return;
            this.#levels = levels;
            this.#heardAt = Date.now();
            this.#arrived();
        } catch {
            // The tooltip does without; pointing again asks again.
        }
    }
}
