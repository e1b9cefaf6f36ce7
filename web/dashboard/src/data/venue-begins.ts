/** Since when each venue of a symbol has data, read once for a symbol. */
import { type Seam, seamsOf, type VenueBegin } from '../model/seams.ts';
import { symbolOf } from '../model/venues.ts';
import { type Api, ApiError } from '../transport/api.ts';
import type { SymbolInfo } from '../wire/answers.ts';

export class VenueBegins {
    readonly #api: Api;
    readonly #changed: () => void;
    #symbol = '';
    #seams: readonly Seam[] = [];
    #abort = new AbortController();

    constructor(api: Api, changed: () => void) {
        this.#api = api;
        this.#changed = changed;
    }

    seams(): readonly Seam[] {
        return this.#seams;
    }

    /** Called as often as one likes; a symbol of one venue has no seams. */
    want({ symbol, venues }: SymbolInfo): void {
        const key = [symbol, ...venues].join();
        if (key === this.#symbol) return;
        this.#symbol = key;
        this.#abort.abort();
        this.#abort = new AbortController();
        this.#seams = [];
        if (venues.length > 1) void this.#read(symbol, venues, this.#abort.signal);
    }

    async #read(symbol: string, venues: readonly string[], signal: AbortSignal): Promise<void> {
        try {
            const begins = await Promise.all(venues.map((venue) => this.#begin(symbol, venue, signal)));
            if (signal.aborted) return;
            this.#seams = seamsOf(begins.filter((begin) => begin !== null));
            this.#changed();
        } catch {
            // The next picture tries it anew.
            if (!signal.aborted) this.#symbol = '';
        }
    }

    /** Null where the venue has no data yet. */
    async #begin(symbol: string, venue: string, signal: AbortSignal): Promise<VenueBegin | null> {
        try {
            return { venue, time: await this.#api.firstTime(symbolOf(symbol, venue), signal) };
        } catch (error) {
            if (error instanceof ApiError && error.status >= 400 && error.status < 500) return null;
            throw error;
        }
    }
}
