/**
 * What the application follows: one board a symbol, the channels with the options they were asked for with, and what was last
 * heard of each.
 *
 * It outlives connections. It turns itself into the messages that (re)establish it, and takes the frames of states.
 *
 * Messages of a subscription that was replaced may still be on their way when the next one is sent. On the wire each
 * subscription therefore has an id, which the server repeats: the application's own, or one made here where that would not tell
 * the two apart. A message with another id is of a subscription that is over.
 */
import { Board, type Outcome } from '../model/board.ts';
import { CHANNELS, type Channel, type ChannelFrame } from '../wire/channels.ts';
import {
    type DeltaFrame,
    type FeedState,
    type Mismatch,
    type ResumePoint,
    resumeKey,
    type SnapshotFrame,
    type StatusFrame,
    type SubscribeOptions,
    subscribeMessage,
} from '../wire/frames.ts';

export type Via = 'socket' | 'polling';

/** Everything known about a symbol. */
export interface SymbolState {
    /** The newest whole state. */
    snapshot: SnapshotFrame;
    /** The feed's state as last reported, null before the first report. */
    feed: FeedState | null;
    /** When the newest frame about this symbol arrived, milliseconds since 1970. */
    heardAt: number;
    via: Via;
}

/** One channel of one symbol. */
interface Following {
    options: SubscribeOptions;
    /** What messages of it carry on the present connection. */
    wireId: string | undefined;
    /** The newest message; never of the heatmap, whose position the board has. */
    newest: ResumePoint | null;
}

export interface Subscription {
    readonly board: Board;
    readonly following: Map<Channel, Following>;
    feed: FeedState | null;
    heardAt: number;
    via: Via;
    /** States in a row that did not match their hash. */
    mismatches: number;
    /** A whole state was asked for on the socket, and has not arrived. */
    snapshotDue: boolean;
}

const SYMBOLS_PER_MESSAGE = 10;
const ALL_CHANNELS: readonly Channel[] = ['heatmap', ...CHANNELS];

export class Subscriptions {
    readonly #bySymbol = new Map<string, Subscription>();
    /** What was subscribed on the present connection, once or more often. */
    readonly #sent = new Set<string>();
    #idsMade = 0;

    symbols(): string[] {
        return [...this.#bySymbol.keys()];
    }

    /** The symbols whose heatmap is followed, with its options. */
    heatmaps(): [symbol: string, options: SubscribeOptions][] {
        return [...this.#bySymbol].flatMap(([symbol, { following }]) => {
            const heatmap = following.get('heatmap');
            return heatmap === undefined ? [] : [[symbol, heatmap.options] satisfies [string, SubscribeOptions]];
        });
    }

    /** Adds channels, or gives those that are followed already other options. */
    add(symbols: readonly string[], options: SubscribeOptions): void {
        for (const symbol of symbols) {
            let known = this.#bySymbol.get(symbol);
            if (known === undefined) {
                const board = new Board(symbol);
                known = { board, following: new Map(), feed: null, heardAt: 0, via: 'socket', mismatches: 0, snapshotDue: false };
                this.#bySymbol.set(symbol, known);
            }
            for (const channel of channelsOf(options)) {
                const before = known.following.get(channel);
                // Another bin or range is another state: nothing of the old one may be built on.
                if (channel === 'heatmap' && before !== undefined && viewOf(before.options) !== viewOf(options)) known.board.forget();
                known.following.set(channel, { options, wireId: before?.wireId, newest: before?.newest ?? null });
            }
        }
    }

    /** Forgets channels of symbols; the whole symbols without any channel. */
    remove(symbols: readonly string[], channels: readonly Channel[]): void {
        for (const symbol of symbols) {
            const known = this.#bySymbol.get(symbol);
            if (known === undefined) continue;
            for (const channel of channels.length === 0 ? ALL_CHANNELS : channels) known.following.delete(channel);
            if (known.following.size === 0) this.#bySymbol.delete(symbol);
            else if (!known.following.has('heatmap')) known.board.forget();
        }
    }

    state(symbol: string): SymbolState | undefined {
        const known = this.#bySymbol.get(symbol);
        const snapshot = known?.board.snapshot() ?? null;
        if (known === undefined || snapshot === null) return undefined;
        return { snapshot, feed: known.feed, heardAt: known.heardAt, via: known.via };
    }

    position(symbol: string): ResumePoint | null {
        return this.#bySymbol.get(symbol)?.board.position() ?? null;
    }

    /** Takes a state; null for one that nobody follows, and for one of a subscription that was replaced. */
    apply(
        frame: SnapshotFrame | DeltaFrame,
        via: Via,
        now: number,
    ): { known: Subscription; options: SubscribeOptions; outcome: Outcome } | null {
        const known = this.#bySymbol.get(frame.symbol);
        const heatmap = known?.following.get('heatmap');
        if (known === undefined || heatmap === undefined) return null;
        // A state without a position is of a server that knows neither positions nor ids.
        if (via === 'socket' && frame.epoch !== undefined && frame.id !== heatmap.wireId) return null;
        nameAs(frame, heatmap.options.id);
        // The binary form does not say it.
        if (heatmap.options.view === 'expected') frame.expected_within = heatmap.options.horizon ?? '1h';
        known.heardAt = now;
        known.via = via;
        if (frame.type === 'snapshot') known.snapshotDue = false;
        const outcome = frame.type === 'snapshot' ? known.board.applySnapshot(frame) : known.board.applyDelta(frame);
        return { known, options: heatmap.options, outcome };
    }

    /** Notes a message of a channel; false for one that nobody follows, of a replaced subscription, or that was here before. */
    channel(frame: ChannelFrame, now: number): boolean {
        const known = this.#bySymbol.get(frame.symbol);
        const following = known?.following.get(frame.type);
        if (known === undefined || following === undefined || frame.id !== following.wireId) return false;
        known.heardAt = now;
        if (following.newest?.epoch === frame.epoch && following.newest.seq >= frame.seq) return false;
        following.newest = { epoch: frame.epoch, seq: frame.seq };
        nameAs(frame, following.options.id);
        return true;
    }

    heard(symbol: string, now: number): void {
        const known = this.#bySymbol.get(symbol);
        if (known !== undefined) known.heardAt = now;
    }

    feed(frame: StatusFrame, now: number): void {
        const known = this.#bySymbol.get(frame.symbol);
        if (known === undefined) return;
        known.feed = frame.state;
        known.heardAt = now;
        const of = [...known.following.values()].find(({ wireId }) => wireId === frame.id);
        nameAs(frame, of?.options.id);
    }

    anyStale(): boolean {
        return [...this.#bySymbol.values()].some((each) => each.feed === 'stale');
    }

    /** The messages that establish everything on a new connection. */
    beginConnection(): string[] {
        this.#sent.clear();
        return this.subscribeMessages(this.symbols(), ALL_CHANNELS);
    }

    /** The messages that subscribe these channels of these symbols: alike options together, each with where it left off. */
    subscribeMessages(symbols: readonly string[], channels: readonly Channel[]): string[] {
        const alike = new Map<string, { options: SubscribeOptions; channels: Channel[]; symbols: string[] }>();
        for (const symbol of symbols) {
            const following = this.#bySymbol.get(symbol)?.following;
            const byOptions = new Map<string, { options: SubscribeOptions; channels: Channel[] }>();
            for (const channel of ALL_CHANNELS) {
                const known = channels.includes(channel) ? following?.get(channel) : undefined;
                if (known === undefined) continue;
                const { channels: _, ...options } = known.options;
                const key = JSON.stringify(options);
                const same = byOptions.get(key) ?? { options, channels: [] as Channel[] };
                same.channels.push(channel);
                byOptions.set(key, same);
            }
            for (const [key, same] of byOptions) {
                const group = alike.get(key + same.channels.join()) ?? { ...same, symbols: [] };
                group.symbols.push(symbol);
                alike.set(key + same.channels.join(), group);
            }
        }
        return [...alike.values()].flatMap((group) =>
            inMessages(group.symbols).map((some) => this.#subscribeMessage(some, group.channels, group.options)),
        );
    }

    /** Asks for the state of a symbol again, under the subscription that it has. */
    repeatHeatmap(symbol: string, mismatch: ReadonlyMap<string, Mismatch>): string[] {
        const heatmap = this.#bySymbol.get(symbol)?.following.get('heatmap');
        if (heatmap === undefined) return [];
        const { channels: _, ...options } = heatmap.options;
        return [subscribeMessage([symbol], named(options, heatmap.wireId), this.#positions([symbol], ['heatmap']), mismatch)];
    }

    #subscribeMessage(symbols: readonly string[], channels: readonly Channel[], options: SubscribeOptions): string {
        const keys = symbols.flatMap((symbol) => channels.map((channel) => resumeKey(symbol, channel)));
        const followed = symbols.flatMap((symbol) =>
            channels.flatMap((channel) => this.#bySymbol.get(symbol)?.following.get(channel) ?? []),
        );
        let wireId = options.id;
        if (keys.some((key) => this.#sent.has(key))) {
            const known = new Set([options.id, ...followed.map((each) => each.wireId)]);
            while (known.has(wireId)) wireId = `#${++this.#idsMade}`;
        }
        for (const key of keys) this.#sent.add(key);
        for (const each of followed) each.wireId = wireId;
        const onlyHeatmap = channels.length === 1 && channels[0] === 'heatmap';
        const wire = { ...named(options, wireId), ...(onlyHeatmap ? {} : { channels }) };
        return subscribeMessage(symbols, wire, this.#positions(symbols, channels), new Map());
    }

    #positions(symbols: readonly string[], channels: readonly Channel[]): Map<string, ResumePoint> {
        const positions = new Map<string, ResumePoint>();
        for (const symbol of symbols) {
            const known = this.#bySymbol.get(symbol);
            for (const channel of channels) {
                const at = channel === 'heatmap' ? this.position(symbol) : (known?.following.get(channel)?.newest ?? null);
                if (channel === 'heatmap' && known !== undefined) known.snapshotDue = at === null;
                if (at !== null) positions.set(resumeKey(symbol, channel), at);
            }
        }
        return positions;
    }
}

export function channelsOf(options: SubscribeOptions): readonly Channel[] {
    return options.channels ?? ['heatmap'];
}

/** The same options under the id that is used on the wire. */
function named({ id: _, ...options }: SubscribeOptions, wireId: string | undefined): SubscribeOptions {
    return wireId === undefined ? options : { ...options, id: wireId };
}

/** Gives a message the application's name for its subscription. */
function nameAs(frame: { id?: string }, id: string | undefined): void {
    if (id === undefined) delete frame.id;
    else frame.id = id;
}

/** Symbols in groups as large as a message may name. */
export function inMessages(symbols: readonly string[]): string[][] {
    const groups: string[][] = [];
    for (let at = 0; at < symbols.length; at += SYMBOLS_PER_MESSAGE) {
        groups.push(symbols.slice(at, at + SYMBOLS_PER_MESSAGE));
    }
    return groups;
}

/** Options under which two subscriptions see the same state. */
function viewOf(options: SubscribeOptions): string {
    return JSON.stringify([options.bin, options.priceRange, options.view ?? 'open', options.horizon]);
}
