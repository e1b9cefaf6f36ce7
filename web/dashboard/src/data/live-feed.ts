/** The newest live state of the open symbol, how old it is, and which venues are behind it. */
import type { FeedState, HeatmapOptions, LiquidationsFrame, SnapshotFrame, SourceHealth, StatusChange } from 'liqheat-client';
import type { Api } from '../transport/api.ts';
import type { SymbolInfo } from '../wire/answers.ts';
import { LiveConnection } from './live-connection.ts';

export interface LiveEdge {
    snapshot: SnapshotFrame;
    asOf: number;
}

export interface FeedSighting {
    state: FeedState | null;
    /** When the newest message came, by this machine's clock; 0 before the first. */
    heardAt: number;
    /** Market time of the newest state; null before the first. */
    asOf: number | null;
    /** When that time last moved, by this machine's clock; 0 before the first state. */
    movedAt: number;
}

export interface LiveFeedEvents {
    /** There is a newer edge. */
    came(): void;
    /** Another price grid or a restarted server: what was fetched before may not be continued. */
    begunAnew(): void;
    /** Liquidations of the symbol. */
    liquidated(frame: LiquidationsFrame): void;
    statusChanged(): void;
    /** Something that was asked for is refused. */
    trouble(why: string): void;
}

const UPDATE_INTERVAL_S = 1;
/** What the server says to a token that it does not take in place of another. */
const INVALID_TOKEN = 'INVALID_TOKEN';

export class LiveFeed {
    readonly #connection: LiveConnection;
    readonly #tell: LiveFeedEvents;
    readonly #sources = new Map<string, readonly SourceHealth[]>();
    #info: SymbolInfo | null = null;
    #edge: LiveEdge | null = null;
    #movedAt = 0;
    #epoch: string | undefined;

    constructor(api: Api, tell: LiveFeedEvents) {
        this.#tell = tell;
        const options: HeatmapOptions = {
            token: () => api.token() ?? '',
            onError: (frame) => {
                if (frame.code === INVALID_TOKEN) tell.trouble(`The new token is not accepted: ${frame.message}`);
            },
            onSnapshot: (frame) => this.#came(frame),
            onLiquidations: (frame) => {
                if (frame.symbol === this.#info?.symbol) tell.liquidated(frame);
            },
            onStatusChange: () => tell.statusChanged(),
            onFeed: (frame) => {
                this.#sources.set(frame.symbol, frame.sources ?? []);
                tell.statusChanged();
            },
        };
        this.#connection = new LiveConnection(api.socketUrl(), options, {
            channels: ['heatmap', 'liquidations'],
            updateInterval: UPDATE_INTERVAL_S,
            mode: 'delta',
            ack: true,
        });
    }

    /** Follows this symbol in place of the one before. */
    follow(info: SymbolInfo): void {
        this.#info = info;
        this.#edge = null;
        this.#movedAt = 0;
        this.#epoch = undefined;
        this.#connection.follow(info.symbol);
    }

    /** What the list of symbols says anew of the one that is followed. */
    renewInfo(info: SymbolInfo): void {
        this.#info = info;
    }

    /** Connects; with `websocket` false only by polling. Called again when that changes. */
    connect(websocket: boolean): void {
        this.#connection.connect(websocket);
    }

    /** Loads the code that connects, once. */
    load(): void {
        this.#connection.load();
    }

    disconnect(): void {
        this.#connection.disconnect();
    }

    /** Goes on with another token: in place where the socket is open, and the result is whether it is. */
    renewToken(token: string): boolean {
        return this.#connection.renewToken(token);
    }

    get status(): StatusChange {
        return this.#connection.status;
    }

    /** Null before the first state of the symbol. */
    get edge(): LiveEdge | null {
        return this.#edge;
    }

    sighting(): FeedSighting {
        const known = this.#info === null ? undefined : this.#connection.state(this.#info.symbol);
        const asOf = known === undefined ? null : Date.parse(known.snapshot.timestamp);
        // Until the first heartbeat, the state in the list of symbols.
        const listed = this.#info?.state ?? null;
        return { state: known?.feed ?? listed, heardAt: known?.heardAt ?? 0, asOf, movedAt: this.#movedAt };
    }

    /** The venues behind the symbol as last reported; empty where nothing is followed live. */
    sources(): readonly SourceHealth[] {
        return this.#info === null ? [] : (this.#sources.get(this.#info.symbol) ?? []);
    }

    #came(frame: SnapshotFrame): void {
        if (frame.symbol !== this.#info?.symbol) return;
        const asOf = Date.parse(frame.timestamp);
        if (!Number.isFinite(asOf)) return;
        if (asOf !== this.#edge?.asOf) this.#movedAt = Date.now();
        this.#edge = { snapshot: frame, asOf };
        if (this.#epoch !== undefined && frame.epoch !== this.#epoch) this.#tell.begunAnew();
        this.#epoch = frame.epoch;
        this.#tell.came();
    }
}
