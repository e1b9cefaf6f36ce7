/**
 * The picture of wherever one has walked to: tiles of the viewport and a little beside it, with candles.
 *
 * What the viewport shows is fetched first and put together as soon as all of it is there, what lies beside it then. Until
 * then the old picture stays. Nothing is fetched that is there.
 */
import { compose } from '../model/compose.ts';
import { type Plan, planOf, type Stored, type Stretch, TILE_COLUMNS, type Viewport } from '../model/tile-plan.ts';
import { isLayer } from '../model/venues.ts';
import { type Api, ApiError } from '../transport/api.ts';
import type { Query } from '../transport/early.ts';
import type { Candle } from '../wire/answers.ts';
import type { Grid, GridHeader } from '../wire/grid.ts';
import { Loader, type Wanted } from './loader.ts';
import { Picture } from './picture.ts';
import { splitHistory } from './split-history.ts';

/** The server runs one model at a time; a second request waits for it there. */
const TILES_PARALLEL = 2;
const CHUNKS_PARALLEL = 2;
const TILES_BYTES_MAX = 96 << 20;
const CHUNKS_BYTES_MAX = 12 << 20;
const CANDLE_BYTES = 64;
/** A kept tile of closed time is asked for again after this time, in case a late row has changed it. */
const CHECK_MS = 5 * 60_000;
/** What still grows is asked for again when it lags by more than this many columns, and not more often than that. */
const LAG_COLUMNS = 2;
const GROWING_GAP_MS = 4_000;
const RETRY_MS = 3_000;

export interface WalkEvents {
    /** Another picture is ready, made of tiles with these headers. */
    ready(picture: Picture, tiles: readonly GridHeader[]): void;
    failed(error: unknown): void;
}

interface Chunk {
    candles: readonly Candle[];
    /** Newest market time when it was asked for. */
    asOf: number;
}

export class Walk {
    readonly #api: Api;
    readonly #tell: WalkEvents;
    readonly #tiles: Loader<Grid>;
    readonly #chunks: Loader<Chunk>;
    #symbol = '';
    #market = '';
    #stored: Stored | null = null;
    #plan: Plan | null = null;
    #viewport: Viewport | null = null;
    #interval = '';
    #isSplit = false;
    /** Tiles and chunks of the picture that was handed out last. */
    #shown = '';
    #retry: ReturnType<typeof setTimeout> | undefined;

    constructor(api: Api, tell: WalkEvents) {
        this.#api = api;
        this.#tell = tell;
        const arrived = (): void => this.#join();
        const failed = (error: unknown): void => this.#failed(error);
        this.#tiles = new Loader<Grid>({
            parallel: TILES_PARALLEL,
            bytesMax: TILES_BYTES_MAX,
            bytesOf: ({ long, classes }) => long.length * (2 + classes.length),
            arrived,
            failed,
        });
        this.#chunks = new Loader<Chunk>({
            parallel: CHUNKS_PARALLEL,
            bytesMax: CHUNKS_BYTES_MAX,
            bytesOf: ({ candles }) => candles.length * CANDLE_BYTES,
            arrived,
            failed,
        });
    }

    /** The plan of what is wanted now; null while nothing is. */
    plan(): Plan | null {
        return this.#plan;
    }

    /** Another symbol, or the same one whose past has changed. `market`: whose candles are shown with it. */
    reset(symbol: string, market = symbol): void {
        this.stop();
        this.#symbol = symbol;
        this.#market = market;
        this.#tiles.clear();
        this.#chunks.clear();
    }

    /** Wants nothing any more; what is there is kept. */
    stop(): void {
        clearTimeout(this.#retry);
        this.#plan = null;
        this.#viewport = null;
        this.#shown = '';
        this.#tiles.want([]);
        this.#chunks.want([]);
    }

    /** Planes by leverage are wanted from now on. */
    split(): void {
        if (this.#isSplit) return;
        this.#isSplit = true;
        if (this.#viewport !== null && this.#stored !== null) this.go(this.#viewport, this.#stored, this.#interval);
    }

    /** The viewport is this one now. `interval`: the wanted candles, '' for any. */
    go(viewport: Viewport, stored: Stored, interval: string): void {
        clearTimeout(this.#retry);
        this.#viewport = viewport;
        this.#stored = stored;
        this.#interval = interval;
        this.#plan = planOf(viewport, stored, this.#plan, interval);
        this.#want(this.#plan);
        this.#join();
    }

    #want(plan: Plan): void {
        this.#tiles.want([...plan.near, ...plan.around].map((tile) => this.#tile(plan, tile)));
        this.#chunks.want(plan.chunks.map((chunk) => this.#chunk(plan, chunk)));
    }

    #tileKey({ columnMs, prices }: Plan, { from }: Stretch): string {
        return [this.#symbol, columnMs, from, prices.low, prices.bin, prices.rows, this.#isSplit ? 'split' : ''].join();
    }

    #chunkKey({ interval }: Plan, { from }: Stretch): string {
        return [this.#symbol, interval, from].join();
    }

    #tile(plan: Plan, tile: Stretch): Wanted<Grid> {
        const { low, bin, rows } = plan.prices;
        const query: Query = {
            symbol: this.#symbol,
            from: tile.from,
            to: tile.to,
            columns: TILE_COLUMNS,
            bin: decimal(bin),
            price_low: decimal(low > 0 ? low : bin),
            price_high: decimal(low + bin * rows),
        };
        return {
            key: this.#tileKey(plan, tile),
            load: async (signal) => (await splitHistory(this.#api, query, this.#isSplit && !isLayer(this.#symbol), signal)).grid,
            isOld: ({ header }, ageMs) => {
                if (header.columns === TILE_COLUMNS && header.as_of >= tile.to) return ageMs > CHECK_MS;
                const lag = (this.#stored?.now ?? 0) - header.as_of;
                return lag > LAG_COLUMNS * plan.columnMs && ageMs > GROWING_GAP_MS;
            },
        };
    }

    #chunk(plan: Plan, chunk: Stretch): Wanted<Chunk> {
        const { interval } = plan;
        const asOf = this.#stored?.now ?? 0;
        return {
            key: this.#chunkKey(plan, chunk),
            load: async (signal) => {
                const query = { symbol: this.#market, interval, start_time: chunk.from, end_time: chunk.to - 1 };
                return { candles: await this.#api.candles(query, signal), asOf };
            },
            isOld: (kept, ageMs) => {
                if (kept.asOf > chunk.to) return ageMs > CHECK_MS;
                return (this.#stored?.now ?? 0) - kept.asOf > LAG_COLUMNS * plan.columnMs && ageMs > GROWING_GAP_MS;
            },
        };
    }

    /** Hands out a picture when everything that the viewport shows is there, and a larger one with what has come besides. */
    #join(): void {
        const plan = this.#plan;
        const stored = this.#stored;
        if (plan === null || stored === null) return;
        const chunks = plan.chunks.map((chunk) => this.#chunks.get(this.#chunkKey(plan, chunk)));
        if (chunks.length === 0 || chunks.includes(undefined)) return;
        const tileOf = (tile: Stretch): Grid | undefined => this.#tiles.get(this.#tileKey(plan, tile));
        const near = plan.near.map(tileOf);
        if (near.length === 0 || near.includes(undefined)) return;
        const tiles = near.filter((grid) => grid !== undefined);
        const firstNear = plan.near[0]?.from ?? 0;
        const before = plan.around.filter(({ from }) => from < firstNear).reverse();
        const after = plan.around.filter(({ from }) => from > firstNear);
        // Only what follows without a gap; the rest joins when what is between is there.
        for (const tile of before) {
            const grid = tileOf(tile);
            if (grid === undefined) break;
            tiles.unshift(grid);
        }
        for (const tile of after) {
            const grid = tileOf(tile);
            if (grid === undefined) break;
            tiles.push(grid);
        }
        // A tile that was cut off at its time's newest bar cannot be followed by another one.
        const cut = tiles.findIndex(({ header }) => header.columns < TILE_COLUMNS);
        if (cut >= 0 && cut < tiles.length - 1) tiles.length = cut + 1;
        const version = JSON.stringify([
            plan.interval,
            plan.chunks,
            tiles.map(({ header }) => [header.start, header.as_of, header.leverages]),
            plan.prices,
        ]);
        if (version === this.#shown) return;
        this.#shown = version;
        const last = tiles.at(-1)?.header;
        const end = (last?.start ?? 0) + (last?.columns ?? 0) * plan.columnMs;
        const reached = plan.chunks.at(-1)?.to ?? stored.now;
        const isLive = end >= stored.now - LAG_COLUMNS * plan.columnMs && reached >= stored.now;
        const candles = chunks.flatMap((chunk) => chunk?.candles ?? []);
        const span = { from: plan.chunks[0]?.from ?? 0, to: isLive ? stored.now : Math.min(reached, stored.now) };
        const picture = new Picture(compose(tiles), candles, plan.interval, { ...span, from: Math.max(span.from, stored.first) }, isLive);
        this.#tell.ready(
            picture,
            tiles.map(({ header }) => header),
        );
    }

    #failed(error: unknown): void {
        this.#tell.failed(error);
        // What is refused would be refused again.
        if (error instanceof ApiError && error.status >= 400 && error.status < 500) return;
        clearTimeout(this.#retry);
        this.#retry = setTimeout(() => {
            if (this.#viewport !== null && this.#stored !== null) this.go(this.#viewport, this.#stored, this.#interval);
        }, RETRY_MS);
    }
}

/** A price as the server reads it: decimal, never with an exponent. */
export function decimal(price: number): string {
    return price.toFixed(8).replace(/\.?0+$/, '');
}
