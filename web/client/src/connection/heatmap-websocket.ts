/**
 * `HeatmapWebSocket`: keeps the newest heatmap of the subscribed symbols, however the data gets here.
 *
 * Promises: `onSnapshot` always gets a whole state, in order, each state once; after any frame the state equals the server's
 * at that `seq` or `onError` hears why; subscriptions outlive every disconnect. The socket, HTTP, time and page are
 * behind `Environment`; messages and states, behind `Receiver`; polling, behind `PollingFallback`; what the application sees
 * of the connection, behind `StatusMachine`. This file opens and leaves sockets, and decides what to do when a part reports something.
 */
import type { Environment, Socket } from '../transport/environment.ts';
import { PROTOCOLS, parseBinary } from '../wire/binary.ts';
import type { AlertsFrame, Channel, LiquidationsFrame, PriceFrame, WallsFrame } from '../wire/channels.ts';
import {
    type DeltaFrame,
    type ErrorFrame,
    parseFrame,
    pingMessage,
    type SnapshotFrame,
    type StatusFrame,
    type SubscribeOptions,
    tokenMessage,
    unsubscribeMessage,
    type WarningFrame,
} from '../wire/frames.ts';
import { Backoff } from './backoff.ts';
import { afterClose } from './codes.ts';
import { PollingFallback } from './fallback.ts';
import { Liveness } from './liveness.ts';
import { Receiver } from './receiver.ts';
import { type Reason, type Status, type StatusChange, StatusMachine } from './status.ts';
import { channelsOf, inMessages, Subscriptions, type SymbolState } from './subscriptions.ts';

export interface HeatmapOptions {
    /** A whole state, whatever travelled. */
    onSnapshot?: (message: SnapshotFrame) => void;
    /** Only what changed; called before `onSnapshot` for the same state. */
    onDelta?: (message: DeltaFrame) => void;
    onStatusChange?: (status: Status, change: StatusChange) => void;
    /** What the server says about the market data of a symbol; also its heartbeat. */
    onFeed?: (message: StatusFrame) => void;
    /** Channel `price`. */
    onPrice?: (message: PriceFrame) => void;
    /** Channel `liquidations`: those since the last message. */
    onLiquidations?: (message: LiquidationsFrame) => void;
    /** Channel `walls`. */
    onWalls?: (message: WallsFrame) => void;
    /** Channel `alerts`: those since the last message. */
    onAlerts?: (message: AlertsFrame) => void;
    onWarning?: (message: WarningFrame) => void;
    /** Errors of the server and of this package (codes HASH_MISMATCH, SEQUENCE_GAP, BAD_FRAME, BAD_ADDRESS, SOCKET_ERROR). */
    onError?: (message: ErrorFrame) => void;
    /** What a server that asks for one wants to see; a function is called for every attempt, so it can renew. An empty one is not sent. */
    token?: string | (() => string | Promise<string>);
    /** Disconnects for good when aborted. */
    signal?: AbortSignal;
    /** Address to poll while the socket does not work; `false` switches polling off. Derived from the socket's by default. */
    pollUrl?: string | false;
    /** Failed attempts in a row after which no further socket is tried; without limit by default. */
    maxReconnectAttempts?: number;
    /** Milliseconds under which the first pause between attempts stays; the ceiling doubles up to sixteen times it. 2,000 by default. */
    reconnectDelay?: number;
}

const BACKOFF_FIRST_MS = 2_000;
const BACKOFF_GROWTH = 16;
const HANDSHAKE_LIMIT_MS = 10_000;
const FAILURES_BEFORE_POLLING = 3;

export class HeatmapWebSocket extends EventTarget {
    readonly #url: string;
    readonly #world: Environment;
    readonly #status: StatusMachine;
    readonly #backoff: Backoff;
    readonly #subscriptions = new Subscriptions();
    readonly #liveness: Liveness;
    readonly #receiver: Receiver;
    readonly #fallback: PollingFallback;
    readonly #token: HeatmapOptions['token'];
    readonly #attemptsMax: number;
    #signal: AbortSignal | undefined;
    /** Counts attempts, so that a token that comes late does not open a second socket. */
    #attempts = 0;
    #wanted = false;
    #socketAllowed = true;
    #socket: Socket | null = null;
    #open = false;
    #cancelHandshake: (() => void) | null = null;
    #cancelRetry: (() => void) | null = null;
    #unwatchPage: (() => void) | null = null;
    #goawayMs: number | null = null;
    /** When the next attempt is due. */
    #retryAt: number | null = null;

    constructor(url: string, options: HeatmapOptions, world: Environment) {
        super();
        this.#url = url;
        this.#world = world;
        this.#status = new StatusMachine((change) => this.#emit('statuschange', change));
        const firstMs = options.reconnectDelay ?? BACKOFF_FIRST_MS;
        this.#backoff = new Backoff(firstMs, BACKOFF_GROWTH * firstMs, () => world.random());
        this.#attemptsMax = options.maxReconnectAttempts ?? Infinity;
        this.#token = options.token;
        this.#liveness = new Liveness(world, {
            ping: () => this.#socket?.send(pingMessage()),
            silent: () => this.#silent(),
            dead: () => this.#lost('no_answer', 'no answer to a ping'),
            ticked: (now) => this.#receiver.tick(now),
        });
        this.#receiver = new Receiver(world, this.#status, this.#subscriptions, {
            emit: (name, detail) => this.#emit(name, detail),
            send: (messages) => this.#sendAll(messages),
            isOpen: () => this.#open,
            goaway: (delayMs) => {
                this.#goawayMs = delayMs;
            },
        });
        const place = { socketUrl: url, pollUrl: options.pollUrl };
        this.#fallback = new PollingFallback(world, this.#status, this.#subscriptions, place, {
            token: () => this.#askToken(),
            took: (text) => this.#receiver.take(parseFrame(text), 'polling'),
            retryAt: () => this.#retryAt,
        });
        this.#listen('snapshot', options.onSnapshot);
        this.#listen('delta', options.onDelta);
        this.#listen('feed', options.onFeed);
        this.#listen('price', options.onPrice);
        this.#listen('liquidations', options.onLiquidations);
        this.#listen('walls', options.onWalls);
        this.#listen('alerts', options.onAlerts);
        this.#listen('warning', options.onWarning);
        this.#listen('error', options.onError);
        const { onStatusChange } = options;
        if (onStatusChange !== undefined) this.#listen<StatusChange>('statuschange', (change) => onStatusChange(change.status, change));
        options.signal?.addEventListener('abort', () => this.#end('aborted', 'the signal was aborted'), { once: true });
        this.#signal = options.signal;
    }

    /** Connects, and keeps connecting until `disconnect`. Calling it again while connected does nothing. */
    connect(): void {
        if (this.#wanted || this.#signal?.aborted === true) return;
        this.#wanted = true;
        this.#fallback.connectionBegins();
        this.#backoff.reset();
        this.#unwatchPage = this.#world.watchPage(() => this.#woke());
        this.#attempt('asked');
    }

    /**
     * Follows these symbols from now on, also over reconnects. Channels add up: those that are named again get the new options,
     * others stay as they are.
     */
    subscribe(symbols: readonly string[], options: SubscribeOptions = {}): void {
        this.#subscriptions.add(symbols, options);
        if (channelsOf(options).includes('heatmap')) this.#receiver.heatmapsChanged(symbols);
        if (this.#open) this.#sendAll(this.#subscriptions.subscribeMessages(symbols, channelsOf(options)));
        this.#fallback.follow();
    }

    /** Forgets these symbols, or only these channels of them, and what still arrives of them. */
    unsubscribe(symbols: readonly string[], channels: readonly Channel[] = []): void {
        this.#subscriptions.remove(symbols, channels);
        if (channels.length === 0 || channels.includes('heatmap')) this.#receiver.heatmapsChanged(symbols);
        if (this.#open) for (const some of inMessages(symbols)) this.#socket?.send(unsubscribeMessage(some, channels));
        this.#fallback.follow();
    }

    /** Closes the connection and stays away; subscriptions are kept for a later `connect`. */
    disconnect(): void {
        this.#end('asked', 'disconnected on request');
    }

    /** Sends a message of your own, as text or as an object that becomes JSON; `false` while there is no open socket. */
    send(message: string | object): boolean {
        if (!this.#open || this.#socket === null) return false;
        this.#socket.send(typeof message === 'string' ? message : JSON.stringify(message));
        return true;
    }

    /** Gives the server another token before the present one expires; `token` is asked for reconnects as before. `false` while there is no open socket. */
    renewToken(token: string): boolean {
        return this.send(tokenMessage(token));
    }

    /** Pings every 30 s, as a connection does anyway unless `stopKeepalive` was called. */
    startKeepalive(): void {
        this.#liveness.keepAlive(true);
    }

    /** No pings any more. Silence of the server is noticed all the same, because it sends a status every 15 s. */
    stopKeepalive(): void {
        this.#liveness.keepAlive(false);
    }

    /** With `false` no socket is tried: the states come by polling at once. For servers that say that sockets are switched off. */
    useSocket(allowed: boolean): void {
        if (allowed === this.#socketAllowed) return;
        this.#socketAllowed = allowed;
        if (!this.#wanted) return;
        const socket = this.#socket;
        this.#drop();
        socket?.close(1000);
        this.#attempt('retry');
    }

    /** The newest state of a symbol, or undefined before the first. */
    state(symbol: string): SymbolState | undefined {
        return this.#subscriptions.state(symbol);
    }

    /** The connection's status with its reason. */
    get status(): StatusChange {
        return this.#status.get();
    }

    // --- connecting and closing ---

    #attempt(reason: Reason): void {
        this.#cancelRetry?.();
        this.#cancelRetry = null;
        this.#retryAt = null;
        if (!this.#socketAllowed) {
            if (!this.#status.is('polling', 'connecting', 'disconnected')) {
                this.#status.move('disconnected', 'socket_off', 'sockets are switched off; asking every few seconds instead');
            }
            this.#fallback.start();
            return;
        }
        if (!this.#status.is('polling', 'connecting')) this.#status.move('connecting', reason, `connecting to ${this.#url}`);
        const attempt = ++this.#attempts;
        const token = this.#token;
        if (token === undefined) {
            this.#openSocket([...PROTOCOLS]);
            return;
        }
        this.#askToken().then(
            (text) => {
                if (this.#wanted && attempt === this.#attempts)
                    this.#openSocket(text === '' ? [...PROTOCOLS] : [...PROTOCOLS, `bearer.${text}`]);
            },
            (error: unknown) => {
                if (!this.#wanted || attempt !== this.#attempts) return;
                this.#retryIn(this.#backoff.next(), 'no_token', `no token: ${error instanceof Error ? error.message : String(error)}`);
            },
        );
    }

    async #askToken(): Promise<string> {
        const token = this.#token;
        return typeof token === 'function' ? token() : (token ?? '');
    }

    #openSocket(protocols: string[]): void {
        let socket: Socket;
        try {
            socket = this.#world.openSocket(this.#url, protocols);
            socket.binaryType = 'arraybuffer';
        } catch (error) {
            const why = error instanceof Error ? error.message : String(error);
            this.#fail('bad_address', why);
            this.#receiver.error('BAD_ADDRESS', why);
            return;
        }
        this.#socket = socket;
        this.#cancelHandshake = this.#world.later(HANDSHAKE_LIMIT_MS, () => {
            this.#lost('no_answer', 'the server did not answer');
        });
        socket.onopen = () => {
            if (this.#socket === socket) this.#opened();
        };
        socket.onmessage = (event) => {
            if (this.#socket === socket) this.#received(event.data);
        };
        socket.onclose = (event) => {
            if (this.#socket === socket) this.#closed(event.code, event.reason);
        };
        // An error is always followed by a close, which carries the code and decides what happens next.
        socket.onerror = () => {
            if (this.#socket === socket) this.#receiver.error('SOCKET_ERROR', `the socket to ${this.#url} failed`);
        };
    }

    #opened(): void {
        this.#open = true;
        this.#cancelHandshake?.();
        this.#cancelHandshake = null;
        this.#fallback.stop();
        this.#receiver.socketOpened();
        this.#status.move('connected', 'opened', 'connected');
        this.#sendAll(this.#subscriptions.beginConnection());
        this.#liveness.start();
    }

    #closed(code: number, reason: string): void {
        const words = reason === '' ? `closed by the server (${code})` : `closed by the server (${code}: ${reason})`;
        const next = afterClose(code);
        if (next === 'stay_away') {
            this.#drop();
            this.#fail('refused', words);
            return;
        }
        const neverOpened = !this.#open;
        const goaway = this.#goawayMs;
        this.#drop();
        if (goaway !== null) this.#retryIn(goaway, 'goaway', words);
        else if (next === 'come_back_now' && this.#backoff.failures() === 0) {
            this.#backoff.next();
            this.#retryIn(0, 'closed', words);
        } else this.#retryIn(this.#backoff.next(), 'closed', words);
        if (neverOpened && this.#backoff.failures() === 1) void this.#pollIfSocketsAreOff();
    }

    async #pollIfSocketsAreOff(): Promise<void> {
        if ((await this.#fallback.isSocketOff()) && this.#wanted && !this.#open) this.#fallback.start();
    }

    /** The socket is still there but no good: leave it and try again. */
    #lost(reason: Reason, message: string): void {
        const socket = this.#socket;
        this.#drop();
        socket?.close();
        this.#retryIn(this.#backoff.next(), reason, message);
    }

    #retryIn(delayMs: number, reason: Reason, message: string): void {
        if (this.#backoff.failures() > this.#attemptsMax) {
            if (this.#fallback.isRunning()) return;
            this.#fail('gave_up', `gave up after ${this.#attemptsMax} attempts: ${message}`);
            return;
        }
        this.#retryAt = this.#world.now() + delayMs;
        if (!this.#status.is('polling')) this.#status.move('disconnected', reason, message, this.#retryAt);
        this.#cancelRetry = this.#world.later(delayMs, () => this.#attempt('retry'));
        if (this.#backoff.failures() >= FAILURES_BEFORE_POLLING) this.#fallback.start();
    }

    /** Forgets the present socket and everything that was timed for it. */
    #drop(): void {
        this.#socket = null;
        this.#open = false;
        this.#goawayMs = null;
        this.#cancelHandshake?.();
        this.#cancelHandshake = null;
        this.#liveness.stop();
        this.#receiver.socketEnded();
    }

    #fail(reason: Reason, message: string): void {
        this.#wanted = false;
        this.#release();
        this.#status.move('failed', reason, message);
    }

    #end(reason: Reason, message: string): void {
        if (!this.#wanted && this.#status.is('disconnected')) return;
        this.#wanted = false;
        const socket = this.#socket;
        this.#release();
        socket?.close(1000);
        this.#status.move('disconnected', reason, message);
    }

    #release(): void {
        this.#drop();
        this.#cancelRetry?.();
        this.#cancelRetry = null;
        this.#fallback.stop();
        this.#unwatchPage?.();
        this.#unwatchPage = null;
    }

    // --- keeping the connection honest ---

    #silent(): void {
        if (!this.#status.is('stale')) this.#status.move('stale', 'silent', 'the server has gone silent');
    }

    #woke(): void {
        if (this.#open) this.#liveness.probe();
        else if (this.#cancelRetry !== null) this.#attempt('retry');
    }

    // --- what arrives ---

    #received(data: unknown): void {
        this.#liveness.heard();
        this.#backoff.reset();
        if (this.#status.is('stale') && this.#status.get().reason === 'silent') {
            this.#status.move('connected', 'heard_again', 'the server answers again');
        }
        if (typeof data === 'string') this.#receiver.take(parseFrame(data), 'socket');
        else this.#receiver.take(parseBinary(data instanceof Uint8Array ? data : new Uint8Array(data as ArrayBuffer)), 'socket');
    }

    // --- asking ---

    #sendAll(messages: readonly string[]): void {
        for (const message of messages) this.#socket?.send(message);
    }

    // --- telling ---

    #emit(name: string, detail: unknown): void {
        this.dispatchEvent(new CustomEvent(name, { detail }));
    }

    #listen<Detail>(name: string, listener: ((detail: Detail) => void) | undefined): void {
        if (listener === undefined) return;
        this.addEventListener(name, (event) => listener((event as CustomEvent<Detail>).detail));
    }
}
