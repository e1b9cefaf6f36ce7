// Made by `npm run types` from docs/asyncapi.json; not to be edited.

/** A state was painted. The first one turns credit on: from then on at most two unpainted states are sent. */
export interface AckMessage {
    action: 'ack';
    /** The newest state painted. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
}

/** The difference between two states. */
export interface DeltaMessage {
    /** Changed levels only. */
    data: StateData;
    /** One unbroken run of `seq`. */
    epoch: string;
    /** The state it applies to. */
    from: number;
    /** Hash of the whole state it leads to. */
    hash: string;
    /** The id of the subscription, where it has one. */
    id?: string | null;
    /** The state it leads to. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
    /** The time of the state, RFC 3339. */
    timestamp: string;
    type: 'delta';
}

/** Something the client said, or the server did, wrong. */
export interface ErrorMessage {
    /** Which error. */
    code: ErrorCode;
    /** In words. */
    message: string;
    type: 'error';
}

/** The server will close; come back after a delay. */
export interface GoawayMessage {
    /** Why. */
    reason: string;
    /** The delay, different for every client. */
    reconnect_in_ms: number;
    type: 'goaway';
}

/** Asks for a pong. */
export interface PingMessage {
    action: 'ping';
}

/** The answer to a ping. */
export interface PongMessage {
    /** The server's time, RFC 3339. */
    timestamp: string;
    type: 'pong';
}

/** A whole state. */
export interface SnapshotMessage {
    /** The state. */
    data: StateData;
    /** One unbroken run of `seq`. */
    epoch: string;
    /** Hash of the whole state. */
    hash: string;
    /** The id of the subscription, where it has one. */
    id?: string | null;
    /** The change this state includes last. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
    /** The time of the state, RFC 3339. */
    timestamp: string;
    type: 'snapshot';
}

/** How the data behind a symbol stands; also the heartbeat of a quiet market. */
export interface StatusMessage {
    /** Time of the newest market event, RFC 3339; absent before the first. */
    as_of?: string | null;
    /** The id of the subscription, where it has one. */
    id?: string | null;
    /** The current change number. */
    seq: number;
    /** How each venue behind it stands; absent where nothing is followed live. */
    sources?: SourceMessage[];
    /** How it stands. */
    state: FeedState;
    /** Of which symbol. */
    symbol: string;
    type: 'status';
}

/** Begin sending these symbols. Answered by their states, or by an error for each name that is not served. */
export interface SubscribeMessage {
    action: 'subscribe';
    /** Height of a level, a multiple of the base bin; levels are summed into it. The base bin without. */
    bin?: number | null;
    /** The client's name for this subscription, at most 64 bytes; every state and status of it repeats it. */
    id?: string | null;
    /** States whose hash was not what the client computed, by symbol: why it asks again. */
    mismatch?: Record<string, Position>;
    /** How updates travel; `snapshot` without. */
    mode?: Mode;
    /** Lowest and highest price: only levels whose bin touches this span, both ends included. All of them without. */
    price_range?: [number, number] | null;
    /** What the client has from an earlier connection, by symbol. */
    resume?: Record<string, Position>;
    /** What to send, by the names in `/v1/symbols`. */
    symbols: string[];
    /** Seconds between states; clamped to 1..60, in delta mode to 0.25..60. The server's interval without. */
    update_interval?: number | null;
}

/** Stop sending these symbols. */
export interface UnsubscribeMessage {
    action: 'unsubscribe';
    /** Which, any number. */
    symbols: string[];
}

/** Something the client should know. */
export interface WarningMessage {
    /** Which warning. */
    code: WarningCode;
    /** Updates skipped. */
    dropped_messages: number;
    /** In words. */
    message: string;
    type: 'warning';
}

/** What went wrong with something the client said, or with the server. */
export type ErrorCode = 'INVALID_SYMBOL' | 'INVALID_ACTION' | 'INVALID_MESSAGE' | 'RATE_LIMITED' | 'SERVER_ERROR';

/** How the data behind a symbol stands. */
export type FeedState = 'live' | 'lagging' | 'stale' | 'replay' | 'degraded' | 'warming_up';

/** One level of a state on the wire. */
export interface LevelMessage {
    /** Whole USD of longs. */
    long_density: number;
    /** Lower edge of the bin. */
    price: number;
    /** Whole USD of shorts. */
    short_density: number;
}

/** How updates travel. */
export type Mode = 'snapshot' | 'delta';

/** A position in the history of a symbol's state. */
export interface Position {
    /** One unbroken run of `seq`. */
    epoch: string;
    /** The last change known. */
    seq: number;
}

/** How one venue behind a symbol stands. */
export interface SourceMessage {
    /** Time of its newest market event, RFC 3339; absent before the first. */
    as_of?: string | null;
    /** `connecting`, `live`, `lagging`, `stale` or `down`. */
    state: string;
    /** Which venue. */
    venue: string;
}

/** The body of a snapshot (all levels with mass) or a delta (changed levels; 0/0 = gone). */
export interface StateData {
    /** The price the state was made at. */
    current_price: number;
    /** Ascending in price. */
    levels: LevelMessage[];
    /** (side, leverage class, bin) liquidations since the state the client had. */
    positions_consumed: number;
    /** (side, leverage class, bin) additions since the state the client had. */
    positions_created: number;
}

/** Something the client should know but need not act on. */
export type WarningCode = 'SLOW_CONSUMER' | 'CONNECTION_UNSTABLE';

export const FEED_STATES = ['live', 'lagging', 'stale', 'replay', 'degraded', 'warming_up'] as const;
