/**
 * The public protocol's messages, and the one function that turns text from outside into one of them.
 *
 * Field names are those on the wire. Anything that does not have the shape of a known message is `unknown`, never a guess:
 * a newer server may send kinds this client has not heard of, and that must not end the connection.
 */

import type { Channel, ChannelFrame } from './channels.ts';
import {
    type AckMessage,
    type DeltaMessage,
    type ErrorMessage,
    FEED_STATES,
    type FeedState,
    type GoawayMessage,
    type LevelMessage,
    type Mode,
    type PingMessage,
    type PongMessage,
    type Position,
    type SnapshotMessage,
    SOURCE_STATES,
    type SourceMessage,
    type SourceState,
    type StateData,
    type StatusMessage,
    type SubscribeMessage,
    type UnsubscribeMessage,
    type WarningMessage,
} from './messages.generated.ts';

/** One price bin. `price` is the bin's lower edge, densities are whole US dollars; 0/0 in a delta means "gone". */
export type Level = LevelMessage;

/** The body of a state; a server may leave the price away. */
export type HeatmapData = Omit<StateData, 'current_price'> & { current_price: number | null };

export interface StateFrame {
    /** The id of the subscription, where it was given one. */
    id?: string;
    symbol: string;
    /** Time of the newest market event in the state, RFC 3339. */
    timestamp: string;
    /** Names one unbroken run of `seq`; absent from servers that do not version their state. */
    epoch?: string;
    seq?: number;
    hash?: string;
    /** Horizon of the expected view; absent from the view of open positions. */
    expected_within?: Horizon;
    data: HeatmapData;
}

/** Horizon of the expected view. */
export type Horizon = '1h' | '4h';

export interface SnapshotFrame extends StateFrame {
    type: 'snapshot';
}

export interface DeltaFrame extends StateFrame {
    type: 'delta';
    epoch: string;
    seq: number;
    /** The `seq` this difference starts from. */
    from: number;
}

export { FEED_STATES, type FeedState, SOURCE_STATES, type SourceState };

export interface StatusFrame {
    type: 'status';
    /** The id of the subscription, where it was given one. */
    id?: string;
    symbol: string;
    state: FeedState;
    as_of: string | null;
    seq: number | null;
    /** The venues behind the symbol, where markets are followed live. */
    sources?: SourceHealth[];
}

/** How one venue behind a symbol stands. */
export interface SourceHealth {
    venue: string;
    /** A venue that is `unlisted` does not have the contract and is no part of the sum. */
    state: SourceState;
    /** Time of its newest event; null before the first. */
    as_of: string | null;
}

function sourcesOf(value: unknown): SourceHealth[] {
    if (!Array.isArray(value)) return [];
    return value.flatMap((source: unknown) => {
        if (typeof source !== 'object' || source === null) return [];
        const { venue, state, as_of }: Untrusted<SourceMessage> = source;
        if (typeof venue !== 'string' || typeof state !== 'string') return [];
        // A word of a newer server: the data is not known to be well.
        const known = SOURCE_STATES.find((each) => each === state) ?? 'stale';
        return [{ venue, state: known, as_of: typeof as_of === 'string' ? as_of : null }];
    });
}

export interface WarningFrame {
    type: 'warning';
    code: string;
    message: string;
    dropped_messages: number;
}

export interface ErrorFrame {
    type: 'error';
    code: string;
    message: string;
}

export interface PongFrame {
    type: 'pong';
    timestamp: string;
}

export interface GoAwayFrame {
    type: 'goaway';
    reason: string;
    reconnect_in_ms: number;
}

export interface UnknownFrame {
    type: 'unknown';
    why: string;
}

export type Frame =
    | SnapshotFrame
    | DeltaFrame
    | StatusFrame
    | ChannelFrame
    | WarningFrame
    | ErrorFrame
    | PongFrame
    | GoAwayFrame
    | UnknownFrame;

/** What a `subscribe` carries besides the symbols. */
export interface SubscribeOptions {
    /** A name for this subscription, at most 64 bytes; every state and status of it carries it. */
    id?: string;
    /** Seconds between updates, 1 to 60 (down to 0.25 in delta mode); the server clamps it and has its own default. */
    updateInterval?: number;
    /** `delta` asks for differences only; the callbacks still get whole states. */
    mode?: Mode;
    priceRange?: readonly [low: number, high: number];
    /** A multiple of the symbol's base bin; levels are summed into it. */
    bin?: number;
    /** `expected`: levels hold US dollars expected to be liquidated within `horizon`; `open` (US dollars of open positions) by default. */
    view?: 'open' | 'expected';
    /** Of the expected view; `1h` by default. */
    horizon?: Horizon;
    /** What to follow; only the heatmap by default. Other channels come through the socket only, not by polling. */
    channels?: readonly Channel[];
    /** Smallest liquidation or alert to hear of, whole US dollars. An alert about no amount has 0. */
    minUsd?: number;
    /** Tell the server after each painted frame, so that it never has more than two in flight. */
    ack?: boolean;
}

export type ResumePoint = Position;

/** A message from outside: its fields have the protocol's names, what is in them is unknown. */
type Untrusted<Message> = { readonly [Field in keyof Message]?: unknown };

function isFields(value: unknown): value is Record<string, unknown> {
    return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function text(value: unknown): string {
    return typeof value === 'string' ? value : '';
}

function count(value: unknown): number {
    return typeof value === 'number' && Number.isFinite(value) ? value : 0;
}

function levelsOf(value: unknown): Level[] | null {
    if (!Array.isArray(value)) return null;
    for (const level of value as unknown[]) {
        if (!isFields(level)) return null;
        const { price, long_density, short_density }: Untrusted<LevelMessage> = level;
        if (typeof price !== 'number' || typeof long_density !== 'number' || typeof short_density !== 'number') return null;
    }
    return value as Level[];
}

function stateFrame(fields: Untrusted<SnapshotMessage> | Untrusted<DeltaMessage>): SnapshotFrame | DeltaFrame | UnknownFrame {
    const data: Untrusted<StateData> = isFields(fields.data) ? fields.data : {};
    const levels = levelsOf(data.levels);
    if (levels === null || typeof fields.symbol !== 'string') {
        return { type: 'unknown', why: `malformed ${text(fields.type)} frame` };
    }
    const body: StateFrame = {
        symbol: fields.symbol,
        timestamp: text(fields.timestamp),
        data: {
            levels,
            current_price: typeof data.current_price === 'number' ? data.current_price : null,
            positions_created: count(data.positions_created),
            positions_consumed: count(data.positions_consumed),
        },
    };
    if (typeof fields.id === 'string') body.id = fields.id;
    if (typeof fields.epoch === 'string') body.epoch = fields.epoch;
    if (typeof fields.seq === 'number') body.seq = fields.seq;
    if (typeof fields.hash === 'string') body.hash = fields.hash;
    if (fields.expected_within === '1h' || fields.expected_within === '4h') body.expected_within = fields.expected_within;
    if (fields.type === 'snapshot') return { type: 'snapshot', ...body };
    const { epoch, seq } = body;
    const { from }: Untrusted<DeltaMessage> = fields;
    if (epoch === undefined || seq === undefined || typeof from !== 'number') {
        return { type: 'unknown', why: 'delta without epoch, seq or from' };
    }
    return { type: 'delta', ...body, epoch, seq, from };
}

function statusFrame(fields: Untrusted<StatusMessage>): StatusFrame {
    const state = FEED_STATES.find((each) => each === fields.state) ?? 'degraded';
    const sources = sourcesOf(fields.sources);
    return {
        type: 'status',
        ...(typeof fields.id === 'string' ? { id: fields.id } : {}),
        symbol: text(fields.symbol),
        state,
        as_of: typeof fields.as_of === 'string' ? fields.as_of : null,
        seq: typeof fields.seq === 'number' ? fields.seq : null,
        ...(sources.length === 0 ? {} : { sources }),
    };
}

function warningFrame({ code, message, dropped_messages }: Untrusted<WarningMessage>): WarningFrame {
    return { type: 'warning', code: text(code), message: text(message), dropped_messages: count(dropped_messages) };
}

function errorFrame({ code, message }: Untrusted<ErrorMessage>): ErrorFrame {
    return { type: 'error', code: text(code), message: text(message) };
}

function pongFrame({ timestamp }: Untrusted<PongMessage>): PongFrame {
    return { type: 'pong', timestamp: text(timestamp) };
}

function goAwayFrame({ reason, reconnect_in_ms }: Untrusted<GoawayMessage>): GoAwayFrame {
    return { type: 'goaway', reason: text(reason), reconnect_in_ms: count(reconnect_in_ms) };
}

/** A message of a channel. Its data is the server's: only the outermost shape is checked. */
function channelFrame(fields: Record<string, unknown>): Frame {
    const { symbol, epoch, seq, data } = fields;
    const isOfRows = fields.type === 'liquidations' || fields.type === 'alerts';
    const fits = isOfRows ? Array.isArray(data) : isFields(data);
    if (typeof symbol !== 'string' || typeof epoch !== 'string' || typeof seq !== 'number' || !fits) {
        return { type: 'unknown', why: `malformed ${text(fields.type)} frame` };
    }
    return fields as unknown as ChannelFrame;
}

/** Reads one message; never throws. */
export function parseFrame(message: string): Frame {
    let fields: unknown;
    try {
        fields = JSON.parse(message);
    } catch {
        return { type: 'unknown', why: 'not JSON' };
    }
    if (!isFields(fields)) return { type: 'unknown', why: 'not an object' };
    switch (fields.type) {
        case 'snapshot':
        case 'delta':
            return stateFrame(fields);
        case 'status':
            return statusFrame(fields);
        case 'price':
        case 'liquidations':
        case 'walls':
        case 'alerts':
            return channelFrame(fields);
        case 'warning':
            return warningFrame(fields);
        case 'error':
            return errorFrame(fields);
        case 'pong':
            return pongFrame(fields);
        case 'goaway':
            return goAwayFrame(fields);
        default:
            return { type: 'unknown', why: `unknown type ${String(fields.type)}` };
    }
}

/** A state that did not match its hash; sent along with the request for a new one so that the server can count it. */
export interface Mismatch extends ResumePoint {
    hash: string;
}

export function subscribeMessage(
    symbols: readonly string[],
    options: SubscribeOptions,
    resume: ReadonlyMap<string, ResumePoint>,
    mismatch: ReadonlyMap<string, Mismatch>,
): string {
    const message: SubscribeMessage = { action: 'subscribe', symbols: [...symbols] };
    if (options.id !== undefined) message.id = options.id;
    if (options.updateInterval !== undefined) message.update_interval = options.updateInterval;
    if (options.mode !== undefined) message.mode = options.mode;
    if (options.priceRange !== undefined) message.price_range = [...options.priceRange];
    if (options.view !== undefined) message.view = options.view;
    if (options.horizon !== undefined) message.horizon = options.horizon;
    if (options.bin !== undefined) message.bin = options.bin;
    if (options.channels !== undefined) message.channels = [...options.channels];
    if (options.minUsd !== undefined) message.min_usd = options.minUsd;
    if (resume.size > 0) message.resume = Object.fromEntries(resume);
    if (mismatch.size > 0) message.mismatch = Object.fromEntries(mismatch);
    return JSON.stringify(message);
}

export function unsubscribeMessage(symbols: readonly string[], channels: readonly Channel[] = []): string {
    const message: UnsubscribeMessage = { action: 'unsubscribe', symbols: [...symbols] };
    if (channels.length > 0) message.channels = [...channels];
    return JSON.stringify(message);
}

/** The key of a position in `resume`. */
export function resumeKey(symbol: string, channel: Channel): string {
    return channel === 'heatmap' ? symbol : `${channel}:${symbol}`;
}

export function tokenMessage(token: string): string {
    return JSON.stringify({ action: 'token', token });
}

export function pingMessage(): string {
    return JSON.stringify({ action: 'ping' } satisfies PingMessage);
}

export function ackMessage(symbol: string, seq: number): string {
    return JSON.stringify({ action: 'ack', symbol, seq } satisfies AckMessage);
}
