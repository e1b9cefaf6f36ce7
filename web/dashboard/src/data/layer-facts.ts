/** What a layer of measured positions is of: how many accounts, and how much of the market. Read when it is opened and again whenever the server has stored another one. */
import { LAYER_EVERY_MS } from '../model/coverage.ts';
import type { Api } from '../transport/api.ts';
import type { MeasuredLayer } from '../wire/measured.ts';
import { Fetched } from './fetched.ts';

const RETRY_MS = 15_000;

export class LayerFacts {
    readonly #fetched: Fetched<MeasuredLayer>;

    constructor(api: Api, arrived: () => void) {
        this.#fetched = new Fetched(async (symbol, signal) => {
            const [body, { parseMeasured }] = await Promise.all([
                api.json('v1/measured', { symbol, limit: 1 }, signal),
                import('../wire/measured.ts'),
            ]);
            return parseMeasured(body);
        }, arrived);
    }

    /** The newest facts about a layer, null before the first; asks for others once its time `asOf` has moved on. Called as often as one likes. */
    of(symbol: string, asOf: number | null): MeasuredLayer | null {
        const newest = this.#fetched.value();
        const isOld = newest === null || (asOf ?? 0) - newest.asOf >= LAYER_EVERY_MS;
        // Another symbol is asked for at once, and what is known of this one is forgotten.
        this.#fetched.want(symbol, isOld ? RETRY_MS : Infinity);
        return this.#fetched.value();
    }
}
