/**
 * What arrives: states go to their boards, what is sound goes to the application, and what is not is asked for again.
 */
import type { Outcome } from '../model/board.ts';
import type { Environment } from '../transport/environment.ts';
import {
    ackMessage,
    type DeltaFrame,
    type ErrorFrame,
    type Frame,
    type Mismatch,
    type SnapshotFrame,
    type StatusFrame,
} from '../wire/frames.ts';
import { Acknowledgements } from './acknowledgements.ts';
import type { StatusMachine } from './status.ts';
import type { Subscription, Subscriptions, Via } from './subscriptions.ts';

const SLOW_FOR_MS = 15_000;
const MISMATCHES_BEFORE_SHOWING = 3;

/** What the connection does for it. */
export interface ReceiverHost {
    /** Tells the application. */
    emit(name: string, detail: unknown): void;
    /** Sends over the open socket, if there is one. */
    send(messages: readonly string[]): void;
    isOpen(): boolean;
    /** The server will close, and wants the client back after this time. */
    goaway(delayMs: number): void;
}

export class Receiver {
    readonly #world: Environment;
    readonly #status: StatusMachine;
    readonly #subscriptions: Subscriptions;
    readonly #host: ReceiverHost;
    readonly #acknowledgements: Acknowledgements;
    #slowUntil = 0;

    constructor(world: Environment, status: StatusMachine, subscriptions: Subscriptions, host: ReceiverHost) {
        this.#world = world;
        this.#status = status;
        this.#subscriptions = subscriptions;
        this.#host = host;
        this.#acknowledgements = new Acknowledgements(world, (symbol, seq) => host.send([ackMessage(symbol, seq)]));
    }

    take(frame: Frame, via: Via): void {
        switch (frame.type) {
            case 'snapshot':
            case 'delta':
                this.#takeState(frame, via);
                return;
            case 'status':
                this.#takeFeed(frame);
                return;
            case 'price':
            case 'liquidations':
            case 'walls':
            case 'alerts':
                if (this.#subscriptions.channel(frame, this.#world.now())) this.#host.emit(frame.type, frame);
                return;
            case 'warning':
                if (frame.code === 'SLOW_CONSUMER') this.#slow(frame.message);
                this.#host.emit('warning', frame);
                return;
            case 'error':
                this.#host.emit('error', frame);
                return;
            case 'goaway':
                this.#host.goaway(frame.reconnect_in_ms);
                return;
            case 'pong':
                return;
            case 'unknown':
                this.error('BAD_FRAME', frame.why);
                return;
            default:
                frame satisfies never;
        }
    }

    /** Reports an error of this package. */
    error(code: string, message: string): void {
        this.#host.emit('error', { type: 'error', code, message } satisfies ErrorFrame);
    }

    /** The heatmaps of these symbols are followed otherwise, or no longer. */
    heatmapsChanged(symbols: readonly string[]): void {
        this.#acknowledgements.forget(symbols);
    }

    socketOpened(): void {
        this.#slowUntil = 0;
    }

    socketEnded(): void {
        this.#acknowledgements.clear();
    }

    /** Time has passed: a client that was slow has caught up. */
    tick(now: number): void {
        if (this.#status.is('slow') && now > this.#slowUntil) this.#status.move('connected', 'caught_up', 'caught up again');
    }

    #takeState(frame: SnapshotFrame | DeltaFrame, via: Via): void {
        const applied = this.#subscriptions.apply(frame, via, this.#world.now());
        if (applied === null || !this.#accept(applied.known, applied.outcome)) return;
        const { board } = applied.known;
        // Before the application hears of it: it may end the subscription as an answer.
        if (applied.options.ack === true && via === 'socket' && frame.seq !== undefined) {
            this.#acknowledgements.applied(frame.symbol, frame.seq);
        }
        if (frame.type === 'delta') this.#host.emit('delta', frame);
        const snapshot = board.snapshot();
        if (snapshot !== null) this.#host.emit('snapshot', snapshot);
    }

    /** Whether the application should see the state; asks for a new one where it is not sound. */
    #accept(known: Subscription, outcome: Outcome): boolean {
        const { symbol } = known.board;
        switch (outcome.kind) {
            case 'applied':
                known.mismatches = 0;
                return true;
            case 'duplicate':
                return false;
            case 'gap':
                // It was on its way when the whole state was asked for, which follows.
                if (known.snapshotDue) return false;
                this.error('SEQUENCE_GAP', `${symbol}: a difference from ${outcome.from} does not fit the state here`);
                known.board.forget();
                this.#askAgain(symbol, null);
                return false;
            case 'mismatch': {
                known.mismatches += 1;
                const { at, want, got } = outcome;
                this.error('HASH_MISMATCH', `${symbol}: state ${at.seq} has hash ${got}, the server says ${want}`);
                // Asking for ever would show nothing for ever: the error was reported, and the state goes out without a position.
                if (known.mismatches >= MISMATCHES_BEFORE_SHOWING) return true;
                this.#askAgain(symbol, { ...at, hash: got });
                return false;
            }
        }
    }

    #askAgain(symbol: string, mismatch: Mismatch | null): void {
        const report = new Map<string, Mismatch>(mismatch === null ? [] : [[symbol, mismatch]]);
        this.#acknowledgements.forget([symbol]);
        // While polling, the next request goes without `since`, because the board has no position.
        if (this.#host.isOpen()) this.#host.send(this.#subscriptions.repeatHeatmap(symbol, report));
    }

    #takeFeed(frame: StatusFrame): void {
        this.#subscriptions.feed(frame, this.#world.now());
        this.#host.emit('feed', frame);
        const sick = this.#subscriptions.anyStale();
        if (sick && this.#status.is('connected', 'slow')) {
            this.#status.move('stale', 'feed_stale', 'connected, but the market data has stopped');
        } else if (!sick && this.#status.is('stale') && this.#status.get().reason === 'feed_stale') {
            this.#status.move('connected', 'feed_well', 'market data is coming again');
        }
    }

    #slow(message: string): void {
        this.#slowUntil = this.#world.now() + SLOW_FOR_MS;
        if (this.#status.is('connected')) this.#status.move('slow', 'server_says_slow', message);
    }
}
