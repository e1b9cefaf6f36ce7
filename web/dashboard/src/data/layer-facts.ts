/** What a layer of measured positions is of: how many accounts, and how much of the market. Read when it is opened and again whenever the server has stored another one. */
import { LAYER_EVERY_MS } from '../model/coverage.ts';
import type { Api } from '../transport/api.ts';
import type { MeasuredLayer } from '../wire/measured.ts';

const RETRY_MS = 15_000;

export class LayerFacts {
    readonly #api: Api;
    readonly #arrived: () => void;
    #symbol = '';
    #newest: MeasuredLayer | null = null;
    #askedAt = 0;
    #abort = new AbortController();

    constructor(api: Api, arrived: () => void) {
        this.#api = api;
        this.#arrived = arrived;
    }

    /** The newest facts about a layer, null before the first; asks for others once its time `asOf` has moved on. Called as often as one likes. */
    of(symbol: string, asOf: number | null): MeasuredLayer | null {
        if (symbol !== this.#symbol) {
            this.#abort.abort();
            this.#abort = new AbortController();
            this.#symbol = symbol;
            this.#newest = null;
            this.#askedAt = 0;
        }
        const isOld = this.#newest === null || (asOf ?? 0) - this.#newest.asOf >= LAYER_EVERY_MS;
        if (isOld && Date.now() - this.#askedAt > RETRY_MS) void this.#ask();
        return this.#newest;
    }

    async #ask(): Promise<void> {
        this.#askedAt = Date.now();
        const { signal } = this.#abort;
        try {
            const [body, { parseMeasured }] = await Promise.all([
                this.#api.json('v1/measured', { symbol: this.#symbol, limit: 1 }, signal),
                import('../wire/measured.ts'),
            ]);
            if (signal.aborted) return;
            this.#newest = parseMeasured(body);
            this.#arrived();
        } catch {
            // The picture says what its columns say; the next frame after a while asks again.
        }
    }
}
