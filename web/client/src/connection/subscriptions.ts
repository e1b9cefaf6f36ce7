/**
 * What the application follows: one board a symbol, the options it was asked for with, and what was last heard of it.
 *
 * It outlives connections. It turns itself into the messages that (re)establish it, and takes the frames of states.
 */
import { Board, type Outcome } from '../model/board.ts';
import {
    CHANNELS,
    type ChannelFrame,
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

export interface Subscription {
    readonly board: Board;
    options: SubscribeOptions;
    feed: FeedState | null;
    heardAt: number;
    via: Via;
    /** States in a row that did not match their hash. */
    mismatches: number;
    /** The newest message of each channel beside the heatmap. */
    channels: Map<ChannelFrame['type'], ResumePoint>;
}

const SYMBOLS_PER_MESSAGE = 10;

export class Subscriptions {
    readonly #bySymbol = new Map<string, Subscription>();

    symbols(): string[] {
        return [...this.#bySymbol.keys()];
    }

    get(symbol: string): Subscription | undefined {
        return this.#bySymbol.get(symbol);
    }

    add(symbols: readonly string[], options: SubscribeOptions): void {
        for (const symbol of symbols) {
            const known = this.#bySymbol.get(symbol);
            if (known === undefined) {
                const board = new Board(symbol);
                this.#bySymbol.set(symbol, { board, options, feed: null, heardAt: 0, via: 'socket', mismatches: 0, channels: new Map() });
                continue;
            }
            // Another bin or range is another state: nothing of the old one may be built on.
            if (viewOf(known.options) !== viewOf(options)) known.board.forget();
            known.options = options;
        }
    }

    remove(symbols: readonly string[]): void {
        for (const symbol of symbols) this.#bySymbol.delete(symbol);
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

    apply(frame: SnapshotFrame | DeltaFrame, via: Via, now: number): { known: Subscription; outcome: Outcome } | null {
        const known = this.#bySymbol.get(frame.symbol);
        if (known === undefined) return null;
        known.heardAt = now;
        known.via = via;
        const outcome = frame.type === 'snapshot' ? known.board.applySnapshot(frame) : known.board.applyDelta(frame);
        return { known, outcome };
    }

    /** Notes the position of a channel; false for a symbol that is not followed. */
    channel(frame: ChannelFrame, now: number): boolean {
        const known = this.#bySymbol.get(frame.symbol);
        if (known === undefined) return false;
        known.heardAt = now;
        known.channels.set(frame.type, { epoch: frame.epoch, seq: frame.seq });
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
    }

    anyStale(): boolean {
        return [...this.#bySymbol.values()].some((each) => each.feed === 'stale');
    }

    /** The messages that subscribe these symbols: alike options together, each with where it left off. */
    subscribeMessages(symbols: readonly string[], mismatch: ReadonlyMap<string, Mismatch>): string[] {
        const alike = new Map<string, string[]>();
        for (const symbol of symbols) {
            const key = JSON.stringify(this.#bySymbol.get(symbol)?.options ?? {});
            alike.set(key, [...(alike.get(key) ?? []), symbol]);
        }
        return [...alike.values()].flatMap((group) =>
            inMessages(group).map((some) => {
                const options = this.#bySymbol.get(some[0] ?? '')?.options ?? {};
                const resume = new Map<string, ResumePoint>();
                for (const symbol of some) {
                    const at = this.position(symbol);
                    if (at !== null) resume.set(symbol, at);
                    for (const channel of CHANNELS) {
                        const position = this.#bySymbol.get(symbol)?.channels.get(channel);
                        if (position !== undefined && options.channels?.includes(channel)) resume.set(resumeKey(symbol, channel), position);
                    }
                }
                return subscribeMessage(some, options, resume, mismatch);
            }),
        );
    }
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
    return JSON.stringify([options.bin, options.priceRange]);
}
