/** What was traded, held and paid beside the price, in chunks that are fetched once. */
import { intervalMs } from '../model/ranges.ts';
import { type Stretch, stretches } from '../model/tile-plan.ts';
import type { Api } from '../transport/api.ts';
import type { SeriesRow } from '../wire/answers.ts';
import { Loader, type Wanted } from './loader.ts';

const CHUNK_ROWS = 500;
const ROW_BYTES = 48;
const BYTES_MAX = 8 << 20;
const CHECK_MS = 5 * 60_000;
const GROWING_GAP_MS = 10_000;

interface Chunk {
    rows: readonly SeriesRow[];
    /** Newest market time when it was asked for. */
    asOf: number;
}

export class SeriesData {
    readonly #api: Api;
    readonly #loader: Loader<Chunk>;
    #symbol = '';
    #wanted: { interval: string; chunks: readonly Stretch[] } | null = null;
    /** Why nothing came, until something does. */
    failure: string | null = null;

    constructor(api: Api, changed: () => void) {
        this.#api = api;
        this.#loader = new Loader<Chunk>({
            parallel: 1,
            bytesMax: BYTES_MAX,
            bytesOf: ({ rows }) => rows.length * ROW_BYTES,
            arrived: () => {
                this.failure = null;
                changed();
            },
            failed: (error) => {
                this.failure = error instanceof Error ? error.message : String(error);
                changed();
            },
        });
    }

    /** Wants the rows of a time of which `asOf` is the newest moment. */
    want(symbol: string, interval: string, span: Stretch, asOf: number): void {
        if (symbol !== this.#symbol) this.#loader.clear();
        this.#symbol = symbol;
        const chunks = stretches(span.from, Math.min(span.to, asOf), intervalMs(interval) * CHUNK_ROWS);
        this.#wanted = { interval, chunks };
        // The newest first: that is where people look.
        this.#loader.want([...chunks].reverse().map((chunk) => this.#chunk(interval, chunk, asOf)));
    }

    /** What of it is there, oldest first. */
    rows(): SeriesRow[] {
        const wanted = this.#wanted;
        if (wanted === null) return [];
        return wanted.chunks.flatMap(({ from }) => this.#loader.get(this.#key(wanted.interval, from))?.rows ?? []);
    }

    #key(interval: string, from: number): string {
        return [this.#symbol, interval, from].join();
    }

    #chunk(interval: string, { from, to }: Stretch, asOf: number): Wanted<Chunk> {
        const symbol = this.#symbol;
        return {
            key: this.#key(interval, from),
            load: async (signal) => ({
                rows: await this.#api.series({ symbol, interval, start_time: from, end_time: to - 1 }, signal),
                asOf,
            }),
            isOld: (kept, ageMs) => (kept.asOf > to ? ageMs > CHECK_MS : asOf > kept.asOf && ageMs > GROWING_GAP_MS),
        };
    }
}
