/** The server's HTTP answers as typed values. Addresses are relative, so the page works under any host and prefix. */

import { type Accuracy, parseAccuracy } from '../wire/accuracy.ts';
import { type Alerts, parseAlerts, type RuleFields } from '../wire/alerts.ts';
import {
    type Candle,
    type LeverageLevels,
    type Liquidation,
    parseCandles,
    parseFirstTime,
    parseLeverageLevels,
    parseLiquidations,
    parseSeries,
    parseSummary,
    parseSymbols,
    type SeriesRow,
    type Symbols,
    type Totals,
} from '../wire/answers.ts';
import { decodeGrid, GRID_ACCEPT, type Grid } from '../wire/grid.ts';
import { parseWalls, type ServedWalls } from '../wire/walls.ts';
import { addressWith, type EarlyAnswers, type Query, TIME_LIMIT_MS } from './early.ts';

/** An answer other than 200; `status` 0 means that none came. */
export class ApiError extends Error {
    override name = 'ApiError';
    readonly status: number;
    /** How long the server says to wait before the next try; null where it does not say. */
    readonly retryAfterMs: number | null;

    constructor(status: number, message: string, retryAfterMs: number | null = null) {
        super(message);
        this.status = status;
        this.retryAfterMs = retryAfterMs;
    }
}

/** How long to wait until the next try after this failure. */
export function retryMs(error: unknown, otherwise: number): number {
    const wanted = error instanceof ApiError ? error.retryAfterMs : null;
    return Math.min(RETRY_MAX_MS, wanted ?? otherwise);
}

/** Somebody looks at the page meanwhile. */
const RETRY_MAX_MS = 30_000;

/** `Retry-After` in seconds; a date is not understood. */
function retryAfterOf({ headers }: Response): number | null {
    const text = headers.get('retry-after') ?? '';
    return /^\d+$/.test(text) ? Math.max(1, Number(text)) * 1_000 : null;
}

/** Who is asking. */
export interface ApiAccess {
    /** Null while there is none. */
    token(): string | null;
    /** The server asks for a token, or does not accept the one it got; in its words. */
    refused(why: string): void;
}

/** The status of an answer that asks for a token. */
export const UNAUTHORISED = 401;

async function detailOf(answer: Response): Promise<string> {
    try {
        const body = (await answer.json()) as { detail?: unknown };
        return typeof body.detail === 'string' ? body.detail : answer.statusText;
    } catch {
        return answer.statusText;
    }
}

export class Api {
    readonly #base: URL;
    readonly #access: ApiAccess;
    readonly #early: EarlyAnswers;

    constructor(base: URL, access: ApiAccess, early: EarlyAnswers) {
        this.#base = base;
        this.#access = access;
        this.#early = early;
    }

    token(): string | null {
        return this.#access.token();
    }

    socketUrl(): string {
        const url = new URL('ws/heatmap', this.#base);
        url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
        return url.href;
    }

    async symbols(signal: AbortSignal): Promise<Symbols> {
        return parseSymbols(await this.json('v1/symbols', {}, signal));
    }

    /** When the data of a symbol begins, milliseconds since 1970. */
    async firstTime(symbol: string, signal: AbortSignal): Promise<number> {
        return parseFirstTime(await this.json('data/date-range', { symbol }, signal));
    }

    async history(query: Query, signal: AbortSignal): Promise<Grid> {
        const answer = await this.#ask('v1/heatmap/history', query, GRID_ACCEPT, signal);
        return decodeGrid(new Uint8Array(await answer.arrayBuffer()));
    }

    async candles(query: Query, signal: AbortSignal): Promise<Candle[]> {
        return parseCandles(await this.json('prices/klines', query, signal));
    }

    async series(query: Query, signal: AbortSignal): Promise<SeriesRow[]> {
        return parseSeries(await this.json('v1/series', query, signal));
    }

    async liquidations(query: Query, signal: AbortSignal): Promise<Liquidation[]> {
        return parseLiquidations(await this.json('v1/liquidations', query, signal));
    }

    /** Totals of the last hours, of now. */
    async summary(query: Query, signal: AbortSignal): Promise<Totals[]> {
        return parseSummary(await this.json('v1/liquidations/summary', query, signal));
    }

    async levels(query: Query, signal: AbortSignal): Promise<LeverageLevels> {
        return parseLeverageLevels(await this.json('liquidations/levels', query, signal));
    }

    async accuracy(query: Query, signal: AbortSignal): Promise<Accuracy> {
        return parseAccuracy(await this.json('v1/accuracy', query, signal));
    }

    async walls(query: Query, signal: AbortSignal): Promise<ServedWalls> {
        return parseWalls(await this.json('v1/walls', query, signal));
    }

    async alerts(signal: AbortSignal): Promise<Alerts> {
        return parseAlerts(await this.json('v1/alerts', {}, signal));
    }

    /** Puts a rule of alerts in force. */
    async putRule(rule: RuleFields): Promise<void> {
        await this.#change('POST', 'v1/alerts', {}, JSON.stringify(rule));
    }

    async deleteRule(name: string): Promise<void> {
        await this.#change('DELETE', 'v1/alerts', { name });
    }

    async #change(method: 'POST' | 'DELETE', path: string, query: Query, body?: string): Promise<void> {
        const headers = body === undefined ? {} : { 'content-type': 'application/json' };
        await this.#send(path, query, { method, headers, ...(body === undefined ? {} : { body }) }, new AbortController().signal);
    }

    /** An answer of a route as it came, for what is loaded on demand and has its own parser. */
    async json(path: string, query: Query, signal: AbortSignal): Promise<unknown> {
        const answer = await this.#ask(path, query, 'application/json', signal);
        return answer.json();
    }

    #ask(path: string, query: Query, accept: string, signal: AbortSignal): Promise<Response> {
        return this.#send(path, query, { headers: { accept } }, signal);
    }

    async #send(path: string, query: Query, request: RequestInit, signal: AbortSignal): Promise<Response> {
        const url = addressWith(this.#base, path, query);
        let answer: Response;
        try {
            const token = this.#access.token();
            const early = token === null ? await this.#early.take(url) : undefined;
            signal.throwIfAborted();
            const limit = AbortSignal.timeout(TIME_LIMIT_MS);
            const headers = token === null ? request.headers : { ...request.headers, authorization: `Bearer ${token}` };
            answer = early ?? (await fetch(url, { ...request, headers: headers ?? {}, signal: AbortSignal.any([signal, limit]) }));
        } catch (error) {
            if (signal.aborted) throw error;
            throw new ApiError(0, 'the server does not answer');
        }
        if (answer.ok) return answer;
        const error = new ApiError(answer.status, await detailOf(answer), retryAfterOf(answer));
        if (error.status === UNAUTHORISED) this.#access.refused(error.message);
        throw error;
    }
}
