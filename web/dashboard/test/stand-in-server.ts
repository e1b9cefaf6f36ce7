/**
 * A stand-in for the server, for tests of the page and the client: it speaks the public contract over a synthetic market
 * and can be told to misbehave (drop sockets, refuse them, stall, go stale, be empty). It is never shipped.
 */
import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';
import { type WebSocket, WebSocketServer } from 'ws';
import { StateHash } from '../../client/src/wire/hash.ts';
import { LAYER_EVERY_MS } from '../src/model/coverage.ts';
import { intervalMs, RANGES } from '../src/model/ranges.ts';
import { isLayer } from '../src/model/venues.ts';
import { type WallLevel, wallsOf } from '../src/model/walls.ts';
import type { MapBody, MeasuredBody, MeasuredPosition } from '../src/wire/bodies.generated.ts';
import { decodeGrid, encodeGrid, type Grid } from '../src/wire/grid.ts';
import { priceMajor } from './price-major.ts';
import { type Happened, type Level, type Step, SyntheticMarket } from './synthetic-market.ts';

export interface Misbehaviour {
    /** New sockets are refused with 503. */
    socketsOff: boolean;
    /** The list of symbols says that sockets are off. */
    socketsOffAnnounced: boolean;
    /** `GET /v1/heatmap` exists. */
    polling: boolean;
    /** Nothing is sent, not even a pong. */
    silent: boolean;
    /** No symbols at all. */
    empty: boolean;
    /** Every HTTP answer but the page itself is 500. */
    broken: boolean;
    /** It has only just been started: every answer but the page itself is 503, to be asked for again in a second. */
    starting: boolean;
    feed: 'live' | 'replay' | 'stale' | 'lagging' | 'degraded' | 'warming_up';
    /** Answers delta frames to those who asked for them. */
    deltas: boolean;
    /** A wrong hash on the next frame. */
    wrongHashOnce: boolean;
    /** Grids are refused a plane a leverage. */
    tooLargeToSplit: boolean;
    /** Enough liquidations came for figures of accuracy. */
    scored: boolean;
    /** Answers data only to this token; empty to everybody. */
    token: string;
    /** Rules may not be changed, for this reason. */
    rulesRefused: string;
    /** Positions that are measured; `uncovered`: the open interest is not known. */
    measured: 'off' | 'live' | 'uncovered' | 'empty' | 'waiting';
    /** Names the accounts of measured positions. */
    showsAddresses: boolean;
    /** A symbol that is listed and has no state yet. */
    withoutState: string;
    /** Grids are answered only after this; null at once. */
    gridsAfter: Promise<void> | null;
    /** The same of grids between two times alone. */
    tilesAfter: Promise<void> | null;
}

export interface StandInOptions {
    dist: string;
    port?: number;
    /** Wall milliseconds between market steps; 0: only by hand. */
    everyMs?: number;
    /** Share of positions that was seen being opened, by market time. */
    seenShare?: number | ((time: number) => number);
    /** When venues began, where that is not with the market. */
    venueBegins?: Record<string, number>;
    /** The venues in each symbol; one by default. Each alone is the same market. */
    venues?: string[];
    /** The liquidations of its channel are those of the documents, and not the market's. */
    examples?: boolean;
    /** Serves a market besides whose bin is not exact in binary. */
    tiny?: boolean;
    /** Everything is served below this path, as behind a proxy: `/heat`. */
    prefix?: string;
    /** History of exactly this size, for benches. */
    cells?: { columns: number; rows: number };
}

interface ChannelMessage {
    type: string;
    symbol: string;
    id?: string;
}

/** One message of each channel, as the server writes it. */
const GOLDEN = new URL('../../../../crates/wire/golden/channels.json', import.meta.url);
const CHANNEL_MESSAGES = (JSON.parse(readFileSync(GOLDEN, 'utf8')) as { server: string[] }).server
    .map((text) => JSON.parse(text) as ChannelMessage)
    .filter(({ symbol }) => symbol !== undefined);

interface Viewer {
    socket: WebSocket;
    symbols: Map<string, { id: object; mode: string; seq: number; lose: boolean }>;
    /** Symbols of which it follows the walls, with the id of the subscription. */
    walls: Map<string, object>;
    /** Symbols of which it follows the liquidations, and how many of them it knows. */
    liquidations: Map<string, { id: object; seq: number }>;
}

const CSP = "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data: blob:; style-src 'self'; script-src 'self'";
const TYPES: Record<string, string> = {
    '.html': 'text/html; charset=utf-8',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.svg': 'image/svg+xml',
    '.png': 'image/png',
    '.webmanifest': 'application/manifest+json',
};

function rfc3339(ms: number): string {
    return new Date(ms).toISOString().replace('.000Z', 'Z');
}

/** What answers about a layer of measured positions. */
const LAYER_ROUTES = new Set(['/v1/heatmap', '/v1/heatmap/history', '/v1/measured', '/v1/walls', '/v1/map']);

const TOKEN = 'eyJ0.eyJ1.c2ln';

export class StandInServer {
    readonly trouble: Misbehaviour = {
        socketsOff: false,
        socketsOffAnnounced: false,
        polling: false,
        silent: false,
        empty: false,
        broken: false,
        starting: false,
        feed: 'replay',
        deltas: true,
        wrongHashOnce: false,
        tooLargeToSplit: false,
        rulesRefused: '',
        token: '',
        scored: true,
        measured: 'off',
        showsAddresses: false,
        withoutState: '',
        gridsAfter: null,
        tilesAfter: null,
    };
    readonly markets: Map<string, SyntheticMarket>;
    /** When positions were measured for the first time, and between which times they were not. */
    layerSince = 0;
    unmeasured: [from: number, to: number] = [0, 0];
    epoch = 'e1';
    readonly #options: StandInOptions;
    #server: Server | null = null;
    #sockets = new WebSocketServer({ noServer: true });
    #viewers = new Set<Viewer>();
    #timers: ReturnType<typeof setInterval>[] = [];
    #mismatches: unknown[] = [];
    /** What clients sent, as it came. */
    readonly received: Record<string, unknown>[] = [];
    /** Frames by type that went to clients. */
    readonly sent = new Map<string, number>();
    /** HTTP requests, by path. */
    readonly asked: string[] = [];
    /** Queries of grids between two times, as they came. */
    readonly tiles: URLSearchParams[] = [];
    #protocols: string[] = [];
    /** Rules of alerts, as `GET /v1/alerts` lists them. */
    readonly rules: Record<string, unknown>[] = [];
    /** Alerts that were raised, oldest first. */
    readonly raised: Record<string, unknown>[] = [];

    constructor(options: StandInOptions) {
        this.#options = options;
        const end = Date.UTC(2025, 11, 28, 14, 30);
        const minute = 60_000;
        const btc = { seed: 7, price: 98_000, bin: 100, start: end - 4320 * minute, stepMs: minute, steps: 4320 };
        const quarter = 15 * minute;
        const eth = { seed: 21, price: 3_400, bin: 2, start: end - 3000 * quarter, stepMs: quarter, steps: 3000 };
        this.markets = new Map([
            ['BTCUSDT', SyntheticMarket.of('BTCUSDT', btc)],
            ['ETHUSDT', SyntheticMarket.of('ETHUSDT', eth)],
            ...(options.tiny === true
                ? [['1000PEPEUSDT', SyntheticMarket.of('1000PEPEUSDT', { ...btc, price: 0.0088, bin: 5e-6, coins: 1e7 })] as const]
                : []),
        ]);
    }

    async start(): Promise<string> {
        const prefix = this.#options.prefix ?? '';
        const server = createServer((request, response) => {
            if (!(request.url ?? '').startsWith(`${prefix}/`)) return json(response, 404, { detail: 'not found' });
            request.url = request.url?.slice(prefix.length) ?? '/';
            void this.#answer(request, response);
        });
        server.on('upgrade', (request, socket, head) => {
            request.url = request.url?.slice(prefix.length) ?? '/';
            const offered = (request.headers['sec-websocket-protocol'] ?? '').split(',').map((each) => each.trim());
            if (this.trouble.token !== '' && !offered.includes(`bearer.${this.trouble.token}`)) {
                socket.end('HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
                return;
            }
            if (this.trouble.socketsOff || !(request.url ?? '').startsWith('/ws/heatmap')) {
                socket.end('HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\nconnection: close\r\n\r\n');
                return;
            }
            this.#protocols.push(request.headers['sec-websocket-protocol'] ?? '');
            this.#sockets.handleUpgrade(request, socket, head, (opened) => this.#welcome(opened));
        });
        await new Promise<void>((resolve) => server.listen(this.#options.port ?? 0, '127.0.0.1', resolve));
        this.#server = server;
        const { everyMs = 1000 } = this.#options;
        if (everyMs > 0) this.#timers.push(setInterval(() => this.advance(), everyMs));
        this.#timers.push(setInterval(() => this.#heartbeat(), 15_000));
        return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    }

    async stop(): Promise<void> {
        for (const timer of this.#timers) clearInterval(timer);
        this.#timers = [];
        this.drop();
        const server = this.#server;
        this.#server = null;
        server?.closeAllConnections();
        await new Promise<void>((resolve) => (server === null ? resolve() : server.close(() => resolve())));
    }

    /** One market step, pushed to whoever watches. */
    advance(only?: string): void {
        for (const market of this.markets.values()) {
            if (only === undefined || market.symbol === only) market.advance();
        }
        this.#push();
    }

    /** The next state frame of every viewer is lost on the way. */
    loseOne(): void {
        for (const viewer of this.#viewers) {
            for (const state of viewer.symbols.values()) state.lose = true;
        }
    }

    /** Cuts every socket as a dying process would. */
    drop(): void {
        for (const viewer of this.#viewers) viewer.socket.terminate();
    }

    close(code: number, reason: string): void {
        for (const viewer of this.#viewers) viewer.socket.close(code, reason);
    }

    tell(frame: object): void {
        if (this.trouble.silent) return;
        for (const viewer of this.#viewers) viewer.socket.send(JSON.stringify(frame));
    }

    setFeed(feed: Misbehaviour['feed']): void {
        this.trouble.feed = feed;
        this.#heartbeat();
    }

    viewers(): number {
        return this.#viewers.size;
    }

    /** The subprotocols that were offered, by every client so far. */
    protocols(): readonly string[] {
        return this.#protocols;
    }

    mismatches(): readonly unknown[] {
        return this.#mismatches;
    }

    // --- socket ---

    #welcome(socket: WebSocket): void {
        const viewer: Viewer = { socket, symbols: new Map(), walls: new Map(), liquidations: new Map() };
        this.#viewers.add(viewer);
        socket.on('close', () => this.#viewers.delete(viewer));
        socket.on('message', (data) => this.#message(viewer, String(data)));
    }

    #message(viewer: Viewer, text: string): void {
        if (this.trouble.silent) return;
        const send = (frame: object): void => viewer.socket.send(JSON.stringify(frame));
        let message: Record<string, unknown>;
        try {
            message = JSON.parse(text) as Record<string, unknown>;
        } catch {
            send({ type: 'error', code: 'INVALID_MESSAGE', message: 'not JSON' });
            return;
        }
        this.received.push(message);
        const symbols = Array.isArray(message.symbols) ? message.symbols.map(String) : [];
        const channels = Array.isArray(message.channels) ? message.channels.map(String) : [];
        const id = message.id === undefined ? {} : { id: message.id };
        if (message.mismatch !== undefined) this.#mismatches.push(message.mismatch);
        switch (message.action) {
            case 'ping':
                send({ type: 'pong', timestamp: rfc3339(Date.now()) });
                return;
            case 'ack':
                return;
            case 'token':
                if (this.trouble.token !== message.token) send({ type: 'error', code: 'INVALID_TOKEN', message: 'the token has expired' });
                return;
            case 'unsubscribe':
                for (const symbol of symbols) {
                    viewer.symbols.delete(symbol);
                    viewer.walls.delete(symbol);
                    viewer.liquidations.delete(symbol);
                }
                return;
            case 'subscribe':
                for (const symbol of symbols) {
                    if (!this.markets.has(symbol.replace(/@.*/, ''))) {
                        const valid = [...this.markets.keys()].join(', ');
                        send({ type: 'error', code: 'INVALID_SYMBOL', message: `Symbol '${symbol}' not supported. Valid: ${valid}` });
                        continue;
                    }
                    if (channels.length > 0 && !channels.includes('heatmap')) {
                        send({ ...this.#status(symbol), ...id });
                        continue;
                    }
                    viewer.symbols.set(symbol, { id, mode: String(message.mode ?? 'snapshot'), seq: -1, lose: false });
                    send({ ...this.#status(symbol), ...id });
                    this.#send(viewer, symbol);
                }
                for (const symbol of channels.includes('walls') ? symbols : []) {
                    viewer.walls.set(symbol, id);
                    this.#sendWalls(viewer, symbol);
                }
                for (const symbol of channels.includes('liquidations') && !this.#options.examples ? symbols : []) {
                    viewer.liquidations.set(symbol, { id, seq: this.#market(symbol).happened.length });
                    this.#sendLiquidations(viewer, symbol);
                }
                for (const golden of CHANNEL_MESSAGES) {
                    const { id: _, ...channelMessage } = golden;
                    if (golden.type === 'liquidations' && !this.#options.examples) continue;
                    if (channels.includes(golden.type) && symbols.includes(golden.symbol)) {
                        send(message.id === undefined ? channelMessage : { ...channelMessage, id: message.id });
                    }
                }
                return;
            default:
                send({ type: 'error', code: 'INVALID_ACTION', message: `Unknown action '${String(message.action)}'` });
        }
    }

    #push(): void {
        if (this.trouble.silent || this.trouble.feed === 'stale') return;
        for (const viewer of this.#viewers) {
            for (const symbol of viewer.symbols.keys()) this.#send(viewer, symbol);
            for (const symbol of viewer.walls.keys()) this.#sendWalls(viewer, symbol);
            for (const [symbol, { seq }] of viewer.liquidations) {
                if (this.#market(symbol).happened.length > seq) this.#sendLiquidations(viewer, symbol);
            }
        }
    }

    #heartbeat(): void {
        if (this.trouble.silent) return;
        for (const viewer of this.#viewers) {
            for (const [symbol, { id }] of viewer.symbols) viewer.socket.send(JSON.stringify({ ...this.#status(symbol), ...id }));
        }
    }

    #status(symbol: string): object {
        const market = this.#market(symbol);
        return { type: 'status', symbol, state: this.trouble.feed, as_of: rfc3339(market.asOf()), seq: market.steps.length };
    }

    #send(viewer: Viewer, symbol: string): void {
        const state = viewer.symbols.get(symbol);
        if (state === undefined || symbol === this.trouble.withoutState) return;
        const seq = this.#market(symbol).steps.length;
        const from = state.seq;
        state.seq = seq;
        const delta = state.mode === 'delta' && this.trouble.deltas && from > 0;
        const frame = delta ? this.deltaFrame(symbol, from) : this.snapshotFrame(symbol);
        if (this.trouble.wrongHashOnce) {
            this.trouble.wrongHashOnce = false;
            Object.assign(frame, { hash: '0123456789abcdef' });
        }
        const { type } = frame as { type: string };
        this.sent.set(type, (this.sent.get(type) ?? 0) + 1);
        if (state.lose) state.lose = false;
        else viewer.socket.send(JSON.stringify({ ...frame, ...state.id }));
    }

    /** Those that it does not know; `also`: fields of the message besides. */
    #sendLiquidations(viewer: Viewer, symbol: string, also: object = {}): void {
        const followed = viewer.liquidations.get(symbol);
        if (followed === undefined) return;
        const market = this.#market(symbol);
        const head = { type: 'liquidations', symbol, timestamp: rfc3339(market.asOf()), epoch: this.epoch, seq: market.happened.length };
        const data = market.happened.slice(followed.seq).map(wireLiquidation);
        followed.seq = market.happened.length;
        viewer.socket.send(JSON.stringify({ ...head, ...followed.id, ...also, data }));
    }

    /** Rows of the channel were lost on the way to everybody. */
    missLiquidations(): void {
        for (const viewer of this.#viewers) {
            for (const [symbol, followed] of viewer.liquidations) {
                const missed = this.#market(symbol).happened.length - followed.seq;
                followed.seq += missed;
                this.#sendLiquidations(viewer, symbol, { missed });
            }
        }
    }

    #sendWalls(viewer: Viewer, symbol: string): void {
        const market = this.#market(symbol);
        const head = { type: 'walls', symbol, timestamp: rfc3339(market.asOf()), epoch: this.epoch, seq: market.steps.length };
        viewer.socket.send(JSON.stringify({ ...head, ...viewer.walls.get(symbol), data: this.#walls(market) }));
    }

    #walls(market: SyntheticMarket): object {
        const { levels, close } = market.newest();
        const of = levels.map(wireLevel) as WallLevel[];
        const walls = wallsOf(of, close, { reach: 0.2, bin: market.bin }).map(({ side, low, high, peak, usd, share, distance }) => ({
            side,
            low,
            high,
            peak_price: peak,
            usd,
            share,
            distance_pct: distance * 100,
            usd_on_the_way: 0,
            leverages: [],
        }));
        const state = this.trouble.feed;
        return { symbol: market.symbol, as_of: rfc3339(market.asOf()), state, current_price: close, long_usd: 0, short_usd: 0, walls };
    }

    #market(symbol: string): SyntheticMarket {
        const market = this.markets.get(symbol.replace(/@.*/, ''));
        if (market === undefined) throw new Error(`no market ${symbol}`);
        return market;
    }

    // --- frames ---

    snapshotFrame(symbol: string): object {
        const market = this.#market(symbol);
        const step = market.newest();
        return {
            type: 'snapshot',
            ...this.#head(symbol, market, step),
            data: { levels: levelsOf(symbol, market, step).map(wireLevel), ...numbers(step) },
        };
    }

    deltaFrame(symbol: string, from: number): object {
        const market = this.#market(symbol);
        const step = market.newest();
        const old = market.steps[from - 1];
        const before = new Map((old === undefined ? [] : levelsOf(symbol, market, old)).map((level) => [level.price, level]));
        const levels = [];
        for (const level of levelsOf(symbol, market, step)) {
            const known = before.get(level.price);
            before.delete(level.price);
            if (known?.long !== level.long || known.short !== level.short) levels.push(wireLevel(level));
        }
        for (const price of before.keys()) levels.push({ price, long_density: 0, short_density: 0 });
        return { type: 'delta', ...this.#head(symbol, market, step), from, data: { levels, ...numbers(step) } };
    }

    #head(symbol: string, market: SyntheticMarket, step: Step): object {
        const hash = new StateHash();
        for (const level of levelsOf(symbol, market, step)) hash.add(level.price, level.long, level.short);
        return {
            symbol,
            timestamp: rfc3339(market.asOf()),
            epoch: this.epoch,
            seq: market.steps.length,
            hash: hash.text(),
        };
    }

    // --- HTTP ---

    async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
        const url = new URL(request.url ?? '/', 'http://stand-in');
        const route = `${request.method} ${url.pathname}`;
        this.asked.push(url.pathname);
        const { trouble } = this;
        const api = /^\/(v1|prices|liquidations|data|ws)/.test(url.pathname);
        if (trouble.starting && api) return json(response, 503, { detail: 'the ledgers are being read' }, { 'retry-after': '1' });
        if (trouble.broken && api) return json(response, 500, { detail: 'the store is being repaired' });
        if (api && trouble.token !== '' && request.headers.authorization !== `Bearer ${trouble.token}`) {
            return json(response, 401, {
                detail: request.headers.authorization === undefined ? 'a token is required' : 'the token has expired',
            });
        }
        const symbol = url.searchParams.get('symbol') ?? '';
        const market = this.markets.get(symbol.replace(/@.*/, ''));
        // Where the example of the client's README gets its token.
        if (route === 'GET /my-token') return void response.end(TOKEN);
        if (route === 'GET /v1/symbols') return json(response, 200, this.#symbols());
        if (route === 'GET /ws/heatmap') return json(response, trouble.socketsOff ? 503 : 426, { detail: 'a WebSocket address' });
        if (route === 'GET /v1/heatmap' && !trouble.polling) return json(response, 404, { detail: 'not found' });
        if (url.pathname === '/v1/alerts') return this.#alerts(request, url, response);
        if (!api) return this.#file(url.pathname, request, response);
        if (market === undefined) return json(response, 400, { detail: `unknown symbol '${symbol}'` });
        if (symbol === trouble.withoutState) return json(response, 503, { detail: `${symbol} has no state yet` });
        if (isLayer(symbol)) {
            // What a layer has not, it is refused as the server does.
            const isKnown = LAYER_ROUTES.has(url.pathname) && !url.searchParams.has('by') && trouble.measured !== 'off';
            if (!isKnown) return json(response, 400, { detail: `${symbol} is a layer of measured positions: ask /v1/measured` });
        }
        switch (route) {
            case 'GET /v1/heatmap':
                return this.#poll(market, url, response);
            case 'GET /v1/heatmap/history':
                if (trouble.gridsAfter !== null) await trouble.gridsAfter;
                if (trouble.tilesAfter !== null && url.searchParams.has('from')) await trouble.tilesAfter;
                return this.#history(market, url, response);
            case 'GET /data/date-range': {
                const first = this.#options.venueBegins?.[symbol.split('@')[1] ?? ''] ?? market.steps[0]?.time ?? 0;
                return json(response, 200, { symbol, start_date: rfc3339(first), end_date: rfc3339(market.asOf()) });
            }
            case 'GET /prices/klines':
                return json(response, 200, klines(market, url));
            case 'GET /v1/liquidations':
                return json(response, 200, liquidations(market, url));
            case 'GET /v1/liquidations/summary':
                return json(response, 200, summaryOf(market));
            case 'GET /v1/series':
                return json(response, 200, seriesOf(market, url));
            case 'GET /v1/walls':
                return json(response, 200, this.#walls(market));
            case 'GET /v1/accuracy':
                return json(response, 200, accuracyOf(symbol, trouble.scored));
            case 'GET /v1/measured':
                return this.#measured(market, url, response);
            case 'GET /v1/map':
                return json(response, 200, mapOf(market, symbol));
            case 'GET /liquidations/levels':
                return json(response, 200, leverageLevels(market));
            default:
                return json(response, 404, { detail: 'not found' });
        }
    }

    async #alerts(request: IncomingMessage, url: URL, response: ServerResponse): Promise<void> {
        const { rulesRefused } = this.trouble;
        const named = (name: unknown): number => this.rules.findIndex((rule) => rule.name === name);
        if (request.method === 'GET') return json(response, 200, { rules: this.rules, targets: [], alerts: this.raised });
        if (rulesRefused !== '') return json(response, 403, { detail: rulesRefused });
        if (request.method === 'DELETE') {
            const name = url.searchParams.get('name');
            if (named(name) < 0) return json(response, 404, { detail: `there is no rule '${name}'` });
            this.rules.splice(named(name), 1);
            return json(response, 200, { deleted: name });
        }
        let text = '';
        for await (const part of request) text += String(part);
        const rule: Record<string, unknown> = { source: 'api', ...(JSON.parse(text) as object) };
        const at = named(rule.name);
        this.rules.splice(at < 0 ? this.rules.length : at, at < 0 ? 0 : 1, rule);
        json(response, 200, rule);
    }

    #symbols(): object {
        const markets = this.trouble.empty ? [] : [...this.markets.values()];
        // The server lists layers behind the markets; of one market there is one here.
        const measured = this.trouble.measured === 'off' ? [] : markets.slice(0, 1);
        const layers = measured.map((market) => ({
            symbol: `${market.symbol}@hyperliquid:measured`,
            venue: 'hyperliquid',
            venues: ['hyperliquid'],
            interval: '1m',
            last: market.asOf(),
            base_bin: market.bin,
            state: this.trouble.feed,
            simulated: false,
            measured: true,
        }));
        const symbols = markets.map((market) => ({
            symbol: market.symbol,
            venue: 'sim',
            venues: this.#options.venues ?? ['sim'],
            interval: market.stepMs === 60_000 ? '1m' : '15m',
            first: market.steps[0]?.time,
            last: market.asOf(),
            base_bin: market.bin,
            state: this.trouble.feed,
            simulated: true,
            leverages: LEVERAGES,
        }));
        return { symbols: [...symbols, ...layers], simulated: true, speed: 60, websocket: !this.trouble.socketsOffAnnounced };
    }

    #measured(market: SyntheticMarket, url: URL, response: ServerResponse): void {
        const { measured, showsAddresses } = this.trouble;
        if (measured === 'off') return json(response, 400, { detail: 'this server does not look at accounts' });
        if (measured === 'waiting')
            return json(response, 503, { detail: `no measured positions of ${market.symbol}@hyperliquid:measured yet` });
        json(response, 200, measuredOf(market, measured, { at: timeIn(url, 'at'), showsAddresses }));
    }

    #poll(market: SyntheticMarket, url: URL, response: ServerResponse): void {
        const [epoch, seq] = (url.searchParams.get('since') ?? '').split(':');
        if (epoch === this.epoch && Number(seq) === market.steps.length) {
            response.writeHead(304).end();
            return;
        }
        json(response, 200, this.snapshotFrame(url.searchParams.get('symbol') ?? market.symbol));
    }

    #history(market: SyntheticMarket, url: URL, response: ServerResponse): void {
        const isOfLayer = isLayer(url.searchParams.get('symbol') ?? '');
        if (isOfLayer && !url.searchParams.has('bin')) return this.#layerHistory(market, url.searchParams, response);
        if (url.searchParams.has('from')) return this.#tile(market, url.searchParams, response);
        const range = RANGES.find(({ id }) => id === url.searchParams.get('range'));
        if (range === undefined) return json(response, 422, { detail: 'range is missing or unknown' });
        const { cells } = this.#options;
        const split = url.searchParams.get('by') === 'leverage';
        if (split && this.trouble.tooLargeToSplit) return json(response, 400, { detail: 'there must be 1 to 1500000 cells' });
        const columns = Number(url.searchParams.get('columns') ?? 1000);
        const bytes =
            cells !== undefined
                ? denseGrid(market, range.ms, cells, split)
                : historyGrid(market, range.ms, columns, split, {
                      epoch: this.epoch,
                      state: this.trouble.feed,
                      seen_share: this.#seenShare(market.asOf()),
                  });
        grid(response, bytes);
    }

    /** Columns of five minutes. */
    #layerHistory(market: SyntheticMarket, query: URLSearchParams, response: ServerResponse): void {
        const rangeMs = market.asOf() - Number(query.get('from'));
        grid(response, this.#layerGrid(decodeGrid(historyGrid(market, rangeMs, Number(query.get('columns')), false, {}, LAYER_EVERY_MS))));
    }

    /** Every third row of an estimate's grid, half of its dollars, as far as there is a layer. */
    #layerGrid({ header, long, short }: Grid): Uint8Array {
        const { columns } = header;
        const isHole = (column: number): boolean => {
            const time = header.start + column * header.column_ms;
            const [from, to] = this.unmeasured;
            return time < this.layerSince || (time >= from && time < to) || this.trouble.measured === 'empty';
        };
        const part = (plane: Uint8Array): Uint8Array =>
            plane.map((cell, at) => {
                const price = header.price_low + (at % header.rows) * header.bin;
                return isHole(Math.floor(at / header.rows)) || !isMeasured(price, header.bin) ? 0 : cell;
            });
        const shares = (base: number): (number | null)[] =>
            Array.from({ length: columns }, (_, column) =>
                isHole(column) || this.trouble.measured === 'uncovered' ? null : base * (0.6 + (0.4 * (column + 1)) / columns),
            );
        const head = {
            ...header,
            symbol: `${header.symbol}@hyperliquid:measured`,
            usd_max: header.usd_max / 2,
            usd_min: header.usd_min / 2,
            epoch: this.epoch,
            state: this.trouble.feed,
            seen_share: 0,
            coverage_long: shares(0.512),
            coverage_short: shares(0.468),
        };
        return encodeGrid(head, part(long), part(short));
    }

    #seenShare(time: number): number {
        const { seenShare = 0.83 } = this.#options;
        return typeof seenShare === 'number' ? seenShare : seenShare(time);
    }

    #tile(market: SyntheticMarket, query: URLSearchParams, response: ServerResponse): void {
        this.tiles.push(query);
        const number = (name: string): number => Number(query.get(name));
        const [from, to, bin] = [number('from'), number('to'), number('bin')];
        if (!(from < to && from < market.asOf() && bin > 0)) return json(response, 422, { detail: `no tile ${query.toString()}` });
        const isOfLayer = isLayer(query.get('symbol') ?? '');
        const stepMs = isOfLayer ? LAYER_EVERY_MS : market.stepMs;
        const columnMs = Math.ceil((to - from) / number('columns') / stepMs) * stepMs;
        const priceLow = Math.floor(number('price_low') / bin + 1e-6) * bin;
        const bytes = gridBetween(
            market,
            {
                first: from,
                columnMs,
                columns: Math.max(1, Math.ceil((Math.min(to, market.asOf()) - from) / columnMs)),
                priceLow,
                bin,
                rows: Math.round((number('price_high') - priceLow) / bin),
            },
            query.get('by') === 'leverage',
            { epoch: this.epoch, state: this.trouble.feed, seen_share: this.#seenShare(Math.min(to, market.asOf())) },
        );
        grid(response, isOfLayer ? this.#layerGrid(decodeGrid(bytes)) : bytes);
    }

    async #file(path: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
        const name = path === '/' ? 'index.html' : normalize(path).replace(/^[/\\]+|^(\.\.[/\\])+/g, '');
        try {
            const path = join(this.#options.dist, name);
            const bytes = await readFile(path);
            const type = TYPES[extname(name)] ?? 'application/octet-stream';
            const caching = name.startsWith('assets/') ? 'public, max-age=31536000, immutable' : 'no-cache';
            const headers = { 'content-type': type, 'cache-control': caching, 'content-security-policy': CSP };
            const codings = String(request.headers['accept-encoding'] ?? '');
            // What was packed when the page was built, as the server has it.
            const packed = codings.includes('br') ? await readFile(`${path}.br`).catch(() => null) : null;
            if (packed !== null) return void response.writeHead(200, { ...headers, 'content-encoding': 'br' }).end(packed);
            const isPacked = type !== 'image/png' && codings.includes('gzip');
            response.writeHead(200, isPacked ? { ...headers, 'content-encoding': 'gzip' } : headers);
            response.end(isPacked ? gzipSync(bytes) : bytes);
        } catch {
            json(response, 404, { detail: 'not found' });
        }
    }
}

function wireLevel(level: { price: number; long: number; short: number }): object {
    return { price: level.price, long_density: level.long, short_density: level.short };
}

/** A third of the levels, by price. */
function isMeasured(price: number, bin: number): boolean {
    return Math.round(price / bin) % 3 === 0;
}

/** Of a layer, half of a third of them. */
function levelsOf(symbol: string, market: SyntheticMarket, { levels }: Step): Level[] {
    if (!isLayer(symbol)) return [...levels];
    return levels
        .filter(({ price }) => isMeasured(price, market.bin))
        .map(({ price, long, short }) => ({ price, long: Math.round(long / 2), short: Math.round(short / 2) }));
}

function numbers(step: Step): object {
    return { current_price: step.close, positions_created: step.created, positions_consumed: step.consumed };
}

function json(response: ServerResponse, status: number, body: object, more: Record<string, string> = {}): void {
    const isPacked = (response.req.headers['accept-encoding'] ?? '').includes('gzip');
    const head = { 'content-type': 'application/json', ...more };
    response.writeHead(status, isPacked ? { ...head, 'content-encoding': 'gzip' } : head);
    response.end(isPacked ? gzipSync(JSON.stringify(body)) : JSON.stringify(body));
}

/** In the newest layout, as the server answers the page. */
function grid(response: ServerResponse, bytes: Uint8Array): void {
    const headers = { 'content-type': 'application/vnd.liqheat.grid; version=2', 'content-encoding': 'gzip' };
    response.writeHead(200, headers).end(gzipSync(priceMajor(bytes)));
}

function klines(market: SyntheticMarket, url: URL): object {
    const interval = url.searchParams.get('interval') ?? '5m';
    const limit = Number(url.searchParams.get('limit') ?? 500);
    const size = intervalMs(interval);
    const bars = new Map<number, { timestamp: string; open: number; high: number; low: number; close: number; volume: number }>();
    for (const step of market.steps) {
        const time = Math.floor(step.time / size) * size;
        const bar = bars.get(time);
        if (bar === undefined) {
            const { open, high, low, close, volume } = step;
            bars.set(time, { timestamp: rfc3339(time), open, high, low, close, volume });
            continue;
        }
        bar.high = Math.max(bar.high, step.high);
        bar.low = Math.min(bar.low, step.low);
        bar.close = step.close;
        bar.volume += step.volume;
    }
    const start = timeIn(url, 'start_time');
    const end = timeIn(url, 'end_time') ?? Infinity;
    // With no more digits than a venue's.
    const decimals = Math.max(0, 3 - Math.round(Math.log10(market.bin)));
    const short = (value: number): number => Number(value.toFixed(decimals));
    const all = [...bars]
        .filter(([time]) => time <= end && time >= (start ?? 0))
        .map(([, { timestamp, open, high, low, close, volume }]) => ({
            timestamp,
            open: short(open),
            high: short(high),
            low: short(low),
            close: short(close),
            volume: Number(volume.toFixed(3)),
        }));
    const data = start === null ? all.slice(-limit) : all;
    return { symbol: market.symbol, interval, count: data.length, data };
}

/** Each happened liquidation belongs to one of two venues. */
function venueOf(time: number): string {
    return (time / 60_000) % 3 === 0 ? 'okx' : 'bybit';
}

function summaryOf(market: SyntheticMarket): object {
    const end = market.asOf();
    const windows = [1, 4, 12, 24].map((hours) => {
        const within = market.happened.filter(({ time }) => time >= end - hours * 3_600_000 && time < end);
        const of = (rows: typeof within): object => {
            const usd = (side: string): number =>
                Math.round(rows.filter((row) => row.side === side).reduce((sum, row) => sum + row.usd, 0));
            const count = (side: string): number => rows.filter((row) => row.side === side).length;
            return { long_usd: usd('long'), short_usd: usd('short'), long_count: count('long'), short_count: count('short') };
        };
        const venues = ['okx', 'bybit'].map((venue) => ({ venue, ...of(within.filter(({ time }) => venueOf(time) === venue)) }));
        return { window: `${hours}h`, start_time: rfc3339(end - hours * 3_600_000), ...of(within), venues };
    });
    return { symbol: market.symbol, end_time: rfc3339(end), windows };
}

/** Of the simulated market: half of the volume and a bit is bought by takers, open interest wanders, nothing is known of funding. */
function seriesOf(market: SyntheticMarket, url: URL): object {
    const { data } = klines(market, url) as { data: { timestamp: string; open: number; close: number; volume: number }[] };
    const rows = data.map(({ timestamp, open, close, volume }) => ({
        timestamp,
        volume,
        taker_buy_volume: volume * (close > open ? 0.56 : 0.43),
        open_interest: 90_000 + 4_000 * Math.sin(Date.parse(timestamp) / 32_400_000),
        open_interest_venues: 1,
        funding_rate: null,
    }));
    return { symbol: market.symbol, interval: url.searchParams.get('interval'), count: rows.length, missing: ['funding_rate'], data: rows };
}

/** A time in a query, as the server reads it. */
function timeIn(url: URL, name: string): number | null {
    const text = url.searchParams.get(name) ?? '';
    if (text === '') return null;
    return /^\d+$/.test(text) ? Number(text) : Date.parse(text);
}

function liquidations(market: SyntheticMarket, url: URL): object {
    const from = timeIn(url, 'start_time') ?? 0;
    const to = timeIn(url, 'end_time') ?? Infinity;
    const data = market.happened
        .filter(({ time }) => time >= from && time < to)
        .slice(-Number(url.searchParams.get('limit') ?? 1000))
        .map(wireLiquidation);
    return { symbol: market.symbol, data };
}

function wireLiquidation({ time, side, price, usd }: Happened): object {
    return { timestamp: rfc3339(time), venue: venueOf(time), side, price, quantity: usd / price, usd };
}

/** Of two venues, one of which reports a part; with too few events there are no figures, as the server answers. */
function accuracyOf(symbol: string, scored: boolean): object {
    const predictor = (id: string, title: string, order: number, half: number): object => ({
        predictor: id,
        title,
        in_hour_partial: order,
        in_hour_partial_interval: [order - half, order + half],
        rank_correlation: order + 0.3,
        top_tenth_lift: 1 + order * 9,
        area_under_curve: 0.6 + order,
    });
    const period = (days: number): object => ({
        days,
        from: '2025-12-20T00:00:00Z',
        hours: days * 22,
        hours_with_events: days * 15,
        hours_lost: days === 30 ? 3 : 0,
        events: scored ? days * 900 : days,
        events_needed: 100,
        ...(scored ? {} : { note: `not enough events yet (${days} of 100)` }),
        cells: days * 700,
        cells_hit: days * 420,
        interval_over: days < 5 ? 'hours' : 'days',
        predictors: scored
            ? [
                  predictor('map', 'this map', 0.2, 0.03),
                  predictor('yesterdays_map', "yesterday's map, moved with the price", 0.11, 0.03),
                  predictor('distance', 'distance, fitted on the past', 0.02, 0.02),
              ]
            : [],
    });
    const periods = [1, 7, 30].map(period);
    return {
        symbol,
        as_of: '2025-12-28T14:30:00Z',
        window_s: 3600,
        is_graded: true,
        venues: [
            { venue: 'bybit', feed: 'every liquidation', is_throttled: false, parameters: '00', periods },
            { venue: 'binance', feed: 'the largest liquidation of each second', is_throttled: true, parameters: '00', periods },
        ],
    };
}

/** Every third level has a half of its dollars measured; the mark price is a bit beside the market's. */
function measuredOf(
    market: SyntheticMarket,
    kind: 'live' | 'uncovered' | 'empty',
    { at, showsAddresses }: { at: number | null; showsAddresses: boolean },
): MeasuredBody {
    const { levels, close } = market.newest();
    const part = kind === 'empty' ? [] : levels.filter((_, index) => index % 3 === 0);
    const rows = part.map(({ price, long, short }, index) => ({
        price,
        long_usd: Math.round(long / 2),
        short_usd: Math.round(short / 2),
        long_accounts: long > 0 ? 2 : 0,
        short_accounts: short > 0 ? 1 : 0,
        age_s: 10 + index,
    }));
    const nearest = [...rows].sort((a, b) => Math.abs(a.price - close) - Math.abs(b.price - close));
    const closest = (at === null ? nearest.slice(0, 20) : []).map(
        ({ price, long_usd, short_usd, age_s }, index): MeasuredPosition => ({
            side: long_usd > 0 ? 'long' : 'short',
            liquidation_price: price + 0.5,
            distance_pct: ((price + 0.5) / close - 1) * 100,
            usd: long_usd > 0 ? long_usd : short_usd,
            age_s,
            ...(showsAddresses ? { address: `0x${String(index).padStart(40, '7')}` } : {}),
        }),
    );
    const side = (usd: number, accounts: number, share: number): MeasuredBody['long'] => ({
        usd: kind === 'empty' ? 0 : usd,
        accounts: kind === 'empty' ? 0 : accounts,
        share_without_level: share,
        share_older_than_5m: share * 2,
        share_older_than_60m: share / 20,
    });
    return {
        symbol: `${market.symbol}@hyperliquid:measured`,
        as_of: rfc3339(at ?? market.asOf() - 12_000),
        state: 'live',
        current_price: close,
        bin: market.bin,
        addresses: 31_204,
        accounts_late: kind === 'empty' ? 31_204 : 0,
        ...(kind === 'live' ? { coverage_long: 0.512, coverage_short: 0.468 } : {}),
        long: side(421e6, 1_812, 0.31),
        short: side(385e6, 694, 0.12),
        levels: rows,
        closest,
    };
}

function mapOf(market: SyntheticMarket, symbol: string): MapBody {
    const { levels, close } = market.newest();
    return {
        symbol,
        as_of: rfc3339(market.asOf()),
        state: 'live',
        current_price: close,
        bin: market.bin,
        leverages: LEVERAGES,
        long_usd: levels.reduce((sum, { long }) => sum + long, 0),
        short_usd: levels.reduce((sum, { short }) => sum + short, 0),
        levels: levels.map(({ price, long, short }) => ({
            price,
            long_usd: long,
            short_usd: short,
            long_cumulative_usd: 0,
            short_cumulative_usd: 0,
            long_by_leverage: [],
            short_by_leverage: [],
        })),
    };
}

function leverageLevels(market: SyntheticMarket): object {
    const step = market.newest();
    const split = (side: 'long' | 'short'): object[] =>
        step.levels.flatMap((level) => {
            const usd = level[side];
            if (usd === 0) return [];
            const leverage = `${leverageOf(level.price, step.close)}x`;
            return [{ price_level: level.price, volume: usd, leverage, distance_pct: (level.price / step.close - 1) * 100 }];
        });
    return {
        symbol: market.symbol,
        model: 'stand-in',
        current_price: step.close,
        long_liquidations: split('long'),
        short_liquidations: split('short'),
    };
}

const LEVERAGES = [5, 10, 25, 50, 100];

/** The nearer a level, the higher the leverage that put it there. */
function leverageOf(price: number, close: number): number {
    const distance = Math.abs(price / close - 1);
    return distance < 0.014 ? 100 : distance < 0.028 ? 50 : distance < 0.06 ? 25 : distance < 0.13 ? 10 : 5;
}

function historyGrid(
    market: SyntheticMarket,
    rangeMs: number,
    columnsMax: number,
    split: boolean,
    extra: object,
    stepMs = market.stepMs,
): Uint8Array {
    const baseBin = market.bin;
    const perColumn = Math.max(1, Math.ceil(rangeMs / stepMs / columnsMax));
    const columnMs = perColumn * stepMs;
    const asOf = market.asOf();
    const last = Math.floor((asOf - 1) / columnMs) * columnMs;
    const first = Math.floor(Math.max(last - rangeMs + columnMs, market.steps[0]?.time ?? 0) / columnMs) * columnMs;
    const columns = (last - first) / columnMs + 1;
    const steps = market.steps.filter((step) => step.time >= first);
    const low = Math.min(...steps.map((step) => step.low)) * 0.9;
    const high = Math.max(...steps.map((step) => step.high)) * 1.1;
    const bin = baseBin * Math.max(1, Math.ceil((high - low) / baseBin / 500));
    const priceLow = Math.floor(low / bin) * bin;
    const rows = Math.ceil((high - priceLow) / bin);
    return gridBetween(market, { first, columnMs, columns, priceLow, bin, rows }, split, extra);
}

interface Geometry {
    first: number;
    columnMs: number;
    columns: number;
    priceLow: number;
    bin: number;
    rows: number;
}

function gridBetween(
    market: SyntheticMarket,
    { first, columnMs, columns, priceLow, bin, rows }: Geometry,
    split: boolean,
    extra: object,
): Uint8Array {
    const end = first + columns * columnMs;
    const steps = market.steps.filter((step) => step.time >= first && step.time < end);
    // Rows finer than the market's own share what it has.
    const parts = Math.max(1, Math.round(market.bin / bin));
    const long = new Float64Array(columns * rows);
    const short = new Float64Array(columns * rows);
    const classes = (split ? LEVERAGES : []).map(() => new Float64Array(columns * rows));
    const newestOf = new Map(steps.map((step) => [Math.floor((step.time - first) / columnMs), step]));
    for (const [column, step] of newestOf) {
        for (const level of step.levels) {
            const plane = classes[LEVERAGES.indexOf(leverageOf(level.price, step.close))];
            for (let part = 0; part < parts; part++) {
                const row = Math.floor((level.price - priceLow) / bin + 1e-6) + part;
                if (row < 0 || row >= rows) continue;
                const at = column * rows + row;
                long[at] = (long[at] ?? 0) + level.long / parts;
                short[at] = (short[at] ?? 0) + level.short / parts;
                if (plane !== undefined) plane[at] = (plane[at] ?? 0) + (level.long + level.short) / parts;
            }
        }
    }
    const max = Math.max(
        1,
        long.reduce((a, b) => Math.max(a, b), 0),
        short.reduce((a, b) => Math.max(a, b), 0),
    );
    const min = Math.min(1000, max);
    const quantised = (plane: Float64Array): Uint8Array =>
        Uint8Array.from(plane, (usd) =>
            usd < min / 2 ? 0 : Math.min(255, Math.max(1, 1 + Math.round((254 * Math.log(usd / min)) / Math.log(max / min)))),
        );
    const header = {
        symbol: market.symbol,
        venue: 'sim',
        as_of: Math.min(end, market.asOf()),
        start: first,
        column_ms: columnMs,
        columns,
        rows,
        price_low: priceLow,
        bin,
        usd_min: min,
        usd_max: max,
        ...extra,
        ...(split ? { leverages: LEVERAGES } : {}),
    };
    return encodeGrid(header, quantised(long), quantised(short), classes.map(quantised));
}

/** A grid of any size with mass in every cell: the worst case for drawing. */
function denseGrid(
    market: SyntheticMarket,
    rangeMs: number,
    { columns, rows }: { columns: number; rows: number },
    split: boolean,
): Uint8Array {
    const asOf = market.asOf();
    const columnMs = Math.ceil(rangeMs / columns / 60_000) * 60_000;
    const last = Math.floor((asOf - 1) / columnMs) * columnMs;
    const price = market.newest().close;
    const bin = price * 0.0003;
    const long = Uint8Array.from({ length: columns * rows }, (_, at) => 1 + ((at * 31 + (at >> 9) * 7) % 255));
    const header = {
        symbol: market.symbol,
        venue: 'sim',
        epoch: 'dense',
        as_of: asOf,
        start: last - (columns - 1) * columnMs,
        column_ms: columnMs,
        columns,
        rows,
        price_low: price - (bin * rows) / 2,
        bin,
        usd_min: 1_000,
        usd_max: 1e8,
        state: 'replay',
        seen_share: 1,
        ...(split ? { leverages: LEVERAGES } : {}),
    };
    const classes = (split ? LEVERAGES : []).map((_, place) => long.map((q, at) => Math.max(1, q - ((at + place * 40) % 60))));
    return encodeGrid(header, long, new Uint8Array(columns * rows), classes);
}
