/** The HTTP answers the page reads besides the grid, and their parsers: what comes from outside is checked once, here. */

import {
    type CandleRow,
    type DateRangeBody,
    FEED_STATES,
    type FeedState,
    type KlinesBody,
    type LevelRow,
    type LevelsBody,
    type LiquidationRow,
    type LiquidationSummaryBody,
    type LiquidationsBody,
    type LiquidationWindow,
    type SeriesBody,
    type SeriesRow as SeriesMessage,
    type SymbolRow,
    type SymbolsBody,
    type VenueLiquidations,
} from './bodies.generated.ts';
import { fieldsOf, listOf, numberOf, numbersOf, optionalNumber, timeOf, type Untrusted } from './fields.ts';

export interface SymbolInfo {
    symbol: string;
    venue: string;
    /** The venues that are summed in it. */
    venues: string[];
    interval: string;
    /** Time of the oldest and newest bar, milliseconds since 1970; null when there is no data. */
    first: number | null;
    last: number | null;
    baseBin: number;
    /** Health of the data when the list was made; null where this page does not know the word. */
    state: FeedState | null;
    simulated: boolean;
    /** The model's leverage classes, ascending; empty where the server does not say. */
    leverages: number[];
    /** Of a layer of measured positions: the estimate of the same market, whose candles and liquidations are shown with it. */
    estimate?: string;
}

export interface Symbols {
    symbols: SymbolInfo[];
    /** Layers of measured positions, as they are listed. */
    layers: SymbolInfo[];
    simulated: boolean;
    /** Market seconds a second; 1 for a live market. */
    speed: number;
    /** Whether the server accepts sockets; one that does not say does. */
    websocket: boolean;
}

export interface Candle {
    /** Open time, milliseconds since 1970. */
    time: number;
    open: number;
    high: number;
    low: number;
    close: number;
    volume: number;
}

/** What was traded, held and paid in an interval; null where nothing is known of it. */
export interface SeriesRow {
    /** Its beginning, milliseconds since 1970. */
    time: number;
    /** Coins. */
    volume: number | null;
    takerBuy: number | null;
    /** Coins at its end. */
    openInterest: number | null;
    /** Rate that longs paid to shorts; 0.0001 is 0.01 %. */
    funding: number | null;
}

/** What was liquidated, wherever. */
export interface Liquidated {
    time: number;
    side: 'long' | 'short';
    price: number;
    usd: number;
}

export interface Liquidation extends Liquidated {
    venue: string;
}

export interface LeverageLevel {
    price: number;
    usd: number;
    leverage: number;
}

export interface LeverageLevels {
    symbol: string;
    model: string;
    currentPrice: number;
    long: LeverageLevel[];
    short: LeverageLevel[];
}

export function parseSymbols(body: unknown): Symbols {
    const fields = fieldsOf<SymbolsBody>(body, 'symbols');
    const simulated = fields.simulated === true;
    const rows = listOf<SymbolRow>(fields.symbols, 'symbols');
    const infoOf = (each: Untrusted<SymbolRow>): SymbolInfo => ({
        symbol: String(each.symbol),
        venue: String(each.venue ?? ''),
        venues: Array.isArray(each.venues) ? (each.venues as unknown[]).map(String) : [],
        interval: String(each.interval ?? ''),
        first: optionalNumber(each.first),
        last: optionalNumber(each.last),
        baseBin: optionalNumber(each.base_bin) ?? 1,
        state: FEED_STATES.find((state) => state === each.state) ?? null,
        simulated: simulated || each.simulated === true,
        leverages: numbersOf(each.leverages),
    });
    return {
        simulated,
        speed: optionalNumber(fields.speed) ?? 1,
        websocket: fields.websocket !== false,
        layers: rows.filter((each) => each.measured === true).map(infoOf),
        // Layers of measured positions are no markets of their own.
        symbols: rows.filter((each) => each.measured !== true).map(infoOf),
    };
}

/** When data begins, of `GET /data/date-range`. */
export function parseFirstTime(body: unknown): number {
    return timeOf(fieldsOf<DateRangeBody>(body, 'date range').start_date, 'start_date');
}

/** Candles in ascending time, each time once: the chart refuses anything else. */
export function parseCandles(body: unknown): Candle[] {
    const fields = fieldsOf<KlinesBody>(body, 'klines');
    const byTime = new Map<number, Candle>();
    for (const each of listOf<CandleRow>(fields.data, 'klines')) {
        const time = timeOf(each.timestamp, 'timestamp');
        byTime.set(time, {
            time,
            open: numberOf(each.open, 'open'),
            high: numberOf(each.high, 'high'),
            low: numberOf(each.low, 'low'),
            close: numberOf(each.close, 'close'),
            volume: optionalNumber(each.volume) ?? 0,
        });
    }
    return [...byTime.values()].sort((a, b) => a.time - b.time);
}

export function parseSeries(body: unknown): SeriesRow[] {
    const fields = fieldsOf<SeriesBody>(body, 'series');
    return listOf<SeriesMessage>(fields.data, 'series').map((each) => ({
        time: timeOf(each.timestamp, 'timestamp'),
        volume: optionalNumber(each.volume),
        takerBuy: optionalNumber(each.taker_buy_volume),
        openInterest: optionalNumber(each.open_interest),
        funding: optionalNumber(each.funding_rate),
    }));
}

export function parseLiquidations(body: unknown): Liquidation[] {
    const fields = fieldsOf<LiquidationsBody>(body, 'liquidations');
    return listOf<LiquidationRow>(fields.data, 'liquidations').map((each) => ({
        time: timeOf(each.timestamp, 'timestamp'),
        venue: String(each.venue ?? ''),
        side: each.side === 'short' ? 'short' : 'long',
        price: numberOf(each.price, 'price'),
        usd: numberOf(each.usd, 'usd'),
    }));
}

/** Realised liquidations of the last hours; dollars. */
export interface Totals {
    hours: number;
    longUsd: number;
    shortUsd: number;
    venues: { venue: string; longUsd: number; shortUsd: number }[];
}

export function parseSummary(body: unknown): Totals[] {
    const fields = fieldsOf<LiquidationSummaryBody>(body, 'summary');
    const usd = (each: { long_usd?: unknown; short_usd?: unknown }): { longUsd: number; shortUsd: number } => ({
        longUsd: numberOf(each.long_usd, 'long_usd'),
        shortUsd: numberOf(each.short_usd, 'short_usd'),
    });
    return listOf<LiquidationWindow>(fields.windows, 'windows').map((each) => ({
        hours: numberOf(Number.parseInt(String(each.window), 10), 'window'),
        ...usd(each),
        venues: listOf<VenueLiquidations>(each.venues, 'venues').map((venue) => ({ venue: String(venue.venue), ...usd(venue) })),
    }));
}

function leverageLevels(value: unknown, what: string): LeverageLevel[] {
    return listOf<LevelRow>(value, what).map((each) => ({
        price: numberOf(each.price_level, 'price_level'),
        usd: numberOf(each.volume, 'volume'),
        leverage: Number.parseFloat(String(each.leverage)),
    }));
}

export function parseLeverageLevels(body: unknown): LeverageLevels {
    const fields = fieldsOf<LevelsBody>(body, 'levels');
    return {
        symbol: String(fields.symbol ?? ''),
        model: String(fields.model ?? ''),
        currentPrice: numberOf(fields.current_price, 'current_price'),
        long: leverageLevels(fields.long_liquidations, 'long_liquidations'),
        short: leverageLevels(fields.short_liquidations, 'short_liquidations'),
    };
}
