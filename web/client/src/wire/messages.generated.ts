// Made by `npm run types` from docs/asyncapi.json; not to be edited.

/** A state was painted. The first one turns credit on: from then on at most two unpainted states are sent. */
export interface AckMessage {
    action: 'ack';
    /** The newest state painted. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
}

/** Channel `alerts`: those raised since the last message. */
export interface AlertsMessage {
    /** Oldest first; empty in the answer to a subscription without a position. */
    data: AlertRow[];
    /** One unbroken run of `seq` of this channel. */
    epoch: string;
    /** The id of the subscription, where it has one. */
    id?: string;
    /** Rows since the client's position that are no longer kept; absent when there are none. */
    missed?: number;
    /** The client's position is not known here: rows may be missing or repeated. Absent when it is known. */
    reset?: boolean;
    /** How many rows there were in this epoch, whatever their size. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
    /** Market time up to which the message is complete, RFC 3339. */
    timestamp: string;
    type: 'alerts';
}

/** The end of an event stream, which has no close frame. */
export interface CloseMessage {
    /** The close code of a socket. */
    code: number;
    /** Why. */
    reason: string;
    type: 'close';
}

/** The difference between two states. */
export interface DeltaMessage {
    /** Changed levels only. */
    data: StateData;
    /** One unbroken run of `seq`. */
    epoch: string;
    /** Horizon of the expected view, whose levels hold expected USD; absent for that of open positions. */
    expected_within?: ViewHorizon;
    /** The state it applies to. */
    from: number;
    /** Hash of the whole state it leads to. */
    hash: string;
    /** The id of the subscription, where it has one. */
    id?: string;
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

/** Channel `liquidations`: those since the last message. */
export interface LiquidationsMessage {
    /** Oldest first; empty in the answer to a subscription without a position. */
    data: LiquidationRow[];
    /** One unbroken run of `seq` of this channel. */
    epoch: string;
    /** The id of the subscription, where it has one. */
    id?: string;
    /** Rows since the client's position that are no longer kept; absent when there are none. */
    missed?: number;
    /** The client's position is not known here: rows may be missing or repeated. Absent when it is known. */
    reset?: boolean;
    /** How many rows there were in this epoch, whatever their size. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
    /** Market time up to which the message is complete, RFC 3339. */
    timestamp: string;
    type: 'liquidations';
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

/** Channel `price`: the prices now. */
export interface PriceMessage {
    /** The value. */
    data: PriceData;
    /** One unbroken run of `seq` of this channel. */
    epoch: string;
    /** The id of the subscription, where it has one. */
    id?: string;
    /** Rises with each change. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
    /** Market time of the value, RFC 3339. */
    timestamp: string;
    type: 'price';
}

/** A whole state. */
export interface SnapshotMessage {
    /** The state. */
    data: StateData;
    /** One unbroken run of `seq`. */
    epoch: string;
    /** Horizon of the expected view, whose levels hold expected USD; absent for that of open positions. */
    expected_within?: ViewHorizon;
    /** Hash of the whole state. */
    hash: string;
    /** The id of the subscription, where it has one. */
    id?: string;
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
    as_of?: string;
    /** The id of the subscription, where it has one. */
    id?: string;
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
    /**
     * What to follow of each symbol: `heatmap`, `price`, `liquidations`, `walls`, `alerts`; only the heatmap if absent. An
     * unknown name is answered by an error; the other channels are followed.
     */
    channels?: string[];
    /** Of the expected view: `1h` without, or `4h`. */
    horizon?: ViewHorizon | null;
    /** The client's name for this subscription, at most 64 bytes; every state and status of it repeats it. */
    id?: string | null;
    /** Smallest liquidation or alert to send, whole USD; all of them if absent. */
    min_usd?: number;
    /** States whose hash was not what the client computed, by symbol: why it asks again. */
    mismatch?: Record<string, Position>;
    /** How updates travel; `snapshot` without. */
    mode?: Mode;
    /** Lowest and highest price: only levels whose bin touches this span, both ends included. All of them without. */
    price_range?: [number, number] | null;
    /**
     * What the client has from an earlier connection, by symbol; of a channel beside the heatmap under
     * `CHANNEL:SYMBOL`, such as `liquidations:BTCUSDT`.
     */
    resume?: Record<string, Position>;
    /** What to send, by the names in `/v1/symbols`. */
    symbols: string[];
    /** Seconds between states; clamped to 1..60, in delta mode to 0.25..60. The server's interval without. */
    update_interval?: number | null;
    /**
     * What the levels of the heatmap hold: `open` (USD of open positions) without, or `expected` (USD that is expected to
     * be liquidated within `horizon`). A symbol has one of them a connection.
     */
    view?: HeatmapView;
}

/** Goes on with another token in place of the one before. Answered only where it is not accepted. */
export interface TokenMessage {
    action: 'token';
    /** As in `Authorization`, without `Bearer`. */
    token: string;
}

/** Stop sending these symbols. */
export interface UnsubscribeMessage {
    action: 'unsubscribe';
    /** Only these channels of them; all channels without. */
    channels?: string[];
    /** Which, any number. */
    symbols: string[];
}

/** Channel `walls`: what `/v1/walls` answers. */
export interface WallsMessage {
    /** The value. */
    data: WallsBody;
    /** One unbroken run of `seq` of this channel. */
    epoch: string;
    /** The id of the subscription, where it has one. */
    id?: string;
    /** Rises with each change. */
    seq: number;
    /** Of which symbol. */
    symbol: string;
    /** Market time of the value, RFC 3339. */
    timestamp: string;
    type: 'walls';
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

/** An alert on the channel `alerts`: the alert of `/v1/alerts` with its words. */
export interface AlertRow {
    /** How often it happened since the rule's last alert about the symbol. */
    count: number;
    /** Names it for ever: a receiver that has seen it ignores it. */
    id: string;
    /** The price then. */
    price: number;
    /** Whether it fell into quiet hours; such an alert is sent to no target. */
    quiet: boolean;
    /** The rule's name. */
    rule: string;
    subject: AlertSubject;
    /** The symbol. */
    symbol: string;
    /** The alert in words. */
    text: string;
    /** Market time at which it was raised, RFC 3339. */
    time: string;
    /** USD of all of them; 0 where it is about no amount. What `min_usd` is compared with. */
    usd: number;
}

/** What an alert is about. */
export type AlertSubject = { distance_pct: number; kind: 'near_wall'; wall: WallSpan } | { kind: 'wall_swept'; liquidated?: LiquidatedSum; touched: string; wall: WallSpan } | { kind: 'liquidation'; price: number; side: Side; time: string; usd: number; venue: string } | { kind: 'cascade'; long: LiquidatedSum; short: LiquidatedSum; window_s: number } | { distance_pct: number; kind: 'wall_formed'; wall: WallSpan } | { distance_pct: number; kind: 'wall_vanished'; wall: WallSpan } | { as_of: string; kind: 'feed_stale' };

/** What went wrong with something the client said, or with the server. */
export type ErrorCode = 'INVALID_SYMBOL' | 'INVALID_ACTION' | 'INVALID_MESSAGE' | 'INVALID_CHANNEL' | 'FORBIDDEN' | 'INVALID_TOKEN' | 'RATE_LIMITED' | 'SERVER_ERROR';

/** How the data behind a symbol stands. */
export type FeedState = 'live' | 'lagging' | 'stale' | 'replay' | 'degraded' | 'warming_up';

/** What the levels of a heatmap hold. */
export type HeatmapView = 'open' | 'expected';

/** One level of a state on the wire. */
export interface LevelMessage {
    /** Whole USD of longs. */
    long_density: number;
    /** Lower edge of the bin. */
    price: number;
    /** Whole USD of shorts. */
    short_density: number;
}

/** Dollars of a leverage class. */
export interface LeverageUsd {
    /** The class. */
    leverage: number;
    /** Whole USD. */
    usd: number;
}

/** Realised liquidations, summed. */
export interface LiquidatedSum {
    /** How many. */
    count: number;
    /** USD of all. */
    usd: number;
}

/** One realised liquidation. */
export interface LiquidationRow {
    /** Reported price. */
    price: number;
    /** Coins. */
    quantity: number;
    /** `long` when a long was liquidated. */
    side: Side;
    /** RFC 3339. */
    timestamp: string;
    /** Whole USD. */
    usd: number;
    /** Where it happened. */
    venue: string;
}

/** How updates travel. */
export type Mode = 'snapshot' | 'delta';

/** A candle that has not closed yet. */
export interface OpenCandle {
    /** Last price. */
    close: number;
    /** Highest price. */
    high: number;
    /** Its length: that of the symbol's bars. */
    interval: string;
    /** Lowest price. */
    low: number;
    /** First price. */
    open: number;
    /** Opening time, RFC 3339. */
    timestamp: string;
    /** Coins; `null` when unknown. */
    volume: number | null;
}

/** A position in the history of a symbol's state. */
export interface Position {
    /** One unbroken run of `seq`. */
    epoch: string;
    /** The last change known. */
    seq: number;
}

/** The data of a `price` message. */
export interface PriceData {
    /** The candle that has not closed yet, made of trades; absent while there are none in it. */
    candle?: OpenCandle;
    /** Newest traded price; absent before the first. */
    last?: number;
    /** Newest mark price; absent before the first. */
    mark?: number;
    /** The venue whose prices they are: of several, the one with the most open interest. */
    venue: string;
}

/** Whose positions. */
export type Side = 'long' | 'short';

/** How one venue behind a symbol stands. */
export interface SourceMessage {
    /** Time of its newest market event, RFC 3339; absent before the first. */
    as_of?: string;
    /** How it is. */
    state: SourceState;
    /** Which venue. */
    venue: string;
}

/** How a source of market data is. */
export type SourceState = 'connecting' | 'live' | 'lagging' | 'stale' | 'down' | 'unlisted';

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

/** Horizon of the expected view. */
export type ViewHorizon = '1h' | '4h';

/** A stretch of price in which the levels of one side are denser than around it. */
export interface WallRow {
    /** From the price to its nearest edge, per cent; negative below the price, 0 inside. */
    distance_pct: number;
    /**
     * Whole USD expected to be liquidated in it within an hour; absent for states of the past and with `view=expected`, and
     * while the volatility is not known.
     */
    expected_usd_1h?: number;
    /** Mean of 2^(-age / 8 h) over its dollars, 0 to 1; only with `freshness=true`, for the live state's size. */
    freshness?: number;
    /** Upper edge. */
    high: number;
    /** Its dollars by leverage class, lowest class first; classes without any are absent. */
    leverages: LeverageUsd[];
    /** Lower edge. */
    low: number;
    /** Middle of its densest stretch. */
    peak_price: number;
    /** Of all dollars of its side, 0 to 1. */
    share: number;
    /** `long` or `short`: the positions that would be liquidated. */
    side: Side;
    /** Whole USD. */
    usd: number;
    /** Whole USD of the same side between the price and the wall. */
    usd_on_the_way: number;
}

/** A stretch of price in which one side's estimated liquidations lie densely. */
export interface WallSpan {
    /** Upper edge, exclusive. */
    high: number;
    /** Lower edge. */
    low: number;
    /** Where it is densest. */
    peak: number;
    /** Whose positions are liquidated there. */
    side: Side;
    /** Estimated USD in it. */
    usd: number;
}

/** `GET /v1/walls`. */
export interface WallsBody {
    /** Time of the newest market event in it, RFC 3339. */
    as_of: string;
    /** Price of the state. */
    current_price: number;
    /** Epoch of the live state; absent for a state of the past. */
    epoch?: string;
    /**
     * `1h` or `4h` where dollars are what is expected to be liquidated within that time; absent where they are the size
     * of levels.
     */
    expected_within?: string;
    /** Whole USD of all long levels, in walls or not. */
    long_usd: number;
    /** Position of the live state in its epoch; absent for a state of the past. */
    seq?: number;
    /** Whole USD of all short levels. */
    short_usd: number;
    /** Health of the data now. */
    state: FeedState;
    /** Of which symbol. */
    symbol: string;
    /** Those with the most dollars first. */
    walls: WallRow[];
}

/** Something the client should know but need not act on. */
export type WarningCode = 'SLOW_CONSUMER' | 'CONNECTION_UNSTABLE';

export const FEED_STATES = ['live', 'lagging', 'stale', 'replay', 'degraded', 'warming_up'] as const;
export const SOURCE_STATES = ['connecting', 'live', 'lagging', 'stale', 'down', 'unlisted'] as const;
