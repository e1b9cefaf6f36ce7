// Made by `npm run types` from docs/openapi.json; not to be edited.

/** `GET /v1/accuracy`: how well the map of each hour said where positions were liquidated in it. */
export interface AccuracyBody {
    /** Market time of the answer, RFC 3339. */
    as_of: string;
    /** Whether this server grades its map. One that serves stored data does not: `liqheat backtest` does. */
    is_graded: boolean;
    /** Of which symbol. */
    symbol: string;
    /** Each venue by itself. */
    venues: VenueAccuracy[];
    /** Length of a graded window, seconds. */
    window_s: number;
}

/** One length of time. */
export interface AccuracyPeriod {
    /** Cells of ten basis points that the price crossed completely. */
    cells: number;
    /** Of them, those in which something was liquidated. */
    cells_hit: number;
    /** Length in days. */
    days: number;
    /** Liquidations in the graded hours. */
    events: number;
    /** Fewest liquidations from which the figures mean something. */
    events_needed: number;
    /** Start of the first graded hour in it, RFC 3339; absent when there is none. */
    from?: string;
    /** Hours graded. */
    hours: number;
    /** Hours since the first graded one that could not be graded. */
    hours_lost: number;
    /** Of them, those with a liquidation. */
    hours_with_events: number;
    /**
     * What the intervals are drawn from: `days`, or `hours` with fewer than five days. Intervals over hours are too
     * narrow, because hours of one day are alike.
     */
    interval_over: string;
    /** Why there are no figures; absent when there are. */
    note?: string;
    /** The map and the predictors that it is compared with; empty with too few liquidations. */
    predictors: PredictorAccuracy[];
}

/** What a rule reports. */
export interface Alert {
    /** How often it happened since the rule's last alert about the symbol. */
    count: number;
    /** Names it for ever: a receiver that has seen it ignores it. */
    id: string;
    /** The price then. */
    price: number;
    /** Whether it fell into quiet hours: it is recorded and shown, and sent to no target. */
    quiet: boolean;
    /** The rule's name. */
    rule: string;
    /** What happened; the largest where there is more than one. */
    subject: AlertSubject;
    /** The symbol, as /v1/symbols names it. */
    symbol: string;
    /** Market time at which it was raised. */
    time: string;
    /** Dollars of all of them. */
    total_usd: number;
}

/** What an alert is about. */
export type AlertSubject = { distance_pct: number; kind: 'near_wall'; wall: WallSpan } | { kind: 'wall_swept'; liquidated?: LiquidatedSum; touched: string; wall: WallSpan } | { kind: 'liquidation'; price: number; side: Side; time: string; usd: number; venue: string } | { kind: 'cascade'; long: LiquidatedSum; short: LiquidatedSum; window_s: number } | { distance_pct: number; kind: 'wall_formed'; wall: WallSpan } | { distance_pct: number; kind: 'wall_vanished'; wall: WallSpan } | { as_of: string; kind: 'feed_stale' };

/** `GET /v1/alerts`. */
export interface AlertsBody {
    /** The newest alerts, at most 500, oldest first. */
    alerts: Alert[];
    /** Rules in force. */
    rules: RuleRow[];
    /** Where alerts go, by name; never their addresses. */
    targets: TargetRow[];
}

/** Where a board stands. */
export interface BoardStats {
    /** Time of the newest market event, RFC 3339. */
    as_of: string | null;
    /** One unbroken run of `seq`. */
    epoch: string;
    /** Hash of the state. */
    hash: string;
    /** Levels with mass. */
    levels: number;
    /** Last change. */
    seq: number;
    /** How its data stands. */
    state: FeedState;
}

/** One candle. */
export interface CandleRow {
    /** Last price. */
    close: number;
    /** Highest price. */
    high: number;
    /** Lowest price. */
    low: number;
    /** First price. */
    open: number;
    /** Opening time, RFC 3339. */
    timestamp: string;
    /** Coins; `null` when unknown. */
    volume: number | null;
}

/** A row of `aggregated-history`. */
export interface CoinglassAggregatedHistoryRow {
    aggregated_long_liquidation_usd: number;
    aggregated_short_liquidation_usd: number;
    /** Beginning of the interval, ms. */
    time: number;
}

/** Opening time in seconds; open, high, low, close; volume in USD. */
export type CoinglassCandle = [number, string, string, string, string, string];

/** A row of `coin-list`: USD of the last hours at one exchange. */
export interface CoinglassCoinRow {
    liquidation_usd_12h: number;
    liquidation_usd_1h: number;
    liquidation_usd_24h: number;
    liquidation_usd_4h: number;
    long_liquidation_usd_12h: number;
    long_liquidation_usd_1h: number;
    long_liquidation_usd_24h: number;
    long_liquidation_usd_4h: number;
    short_liquidation_usd_12h: number;
    short_liquidation_usd_1h: number;
    short_liquidation_usd_24h: number;
    short_liquidation_usd_4h: number;
    /** The coin. */
    symbol: string;
}

/** A refusal: the status as text, and the reason. */
export interface CoinglassError {
    code: string;
    msg: string;
}

/**
 * A row of `exchange-list`. The sums of the sides bear two names each: that of the documentation, and that of the
 * original's answers, which published clients read.
 */
export interface CoinglassExchangeRow {
    /** `All` in the first row. */
    exchange: string;
    liquidation_usd: number;
    longLiquidation_usd: number;
    long_liquidation_usd: number;
    shortLiquidation_usd: number;
    short_liquidation_usd: number;
}

/** `heatmap` and `aggregated-heatmap`. */
export interface CoinglassHeatmap {
    /** Index of a candle, index of a price, USD of both sides. Cells without mass are absent. */
    liquidation_leverage_data: ([number, number, number])[];
    price_candlesticks: CoinglassCandle[];
    /** Prices of the rows, lower edges, ascending. */
    y_axis: number[];
}

/** A row of `history`. */
export interface CoinglassHistoryRow {
    long_liquidation_usd: string;
    short_liquidation_usd: string;
    /** Beginning of the interval, ms. */
    time: number;
}

/** `map` and `aggregated-map`. */
export interface CoinglassMap {
    data: CoinglassMapLevels;
}

export type CoinglassMapLevels = Record<string, CoinglassMapRow[]>;

/** Price, USD, leverage (`null` where all are summed), and `null`. */
export type CoinglassMapRow = [number, number, number | null, number | null];

/**
 * A row of `max-pain`. In the original's example the *long* level lies above the price and the *short* one below it,
 * and so they do here: a long level is the largest one of short positions.
 */
export interface CoinglassMaxPain {
    /** USD; 0 where there is no level above the price. */
    long_max_pain_liq_level: number;
    long_max_pain_liq_price: number | null;
    price: number;
    /** USD; 0 where there is no level below the price. */
    short_max_pain_liq_level: number;
    short_max_pain_liq_price: number | null;
    /** The coin. */
    symbol: string;
}

/** A row of `order`. */
export interface CoinglassOrder {
    /** The coin. */
    base_asset: string;
    exchange_name: string;
    price: number;
    /** Of the order that closes the position: 1 buys (a short was liquidated), 2 sells (a long was). */
    side: number;
    /** The pair. */
    symbol: string;
    /** ms. */
    time: number;
    usd_value: number;
}

/** A pair of `supported-exchange-pairs`. */
export interface CoinglassPair {
    base_asset: string;
    /** The pair, as `symbol` of other routes takes it. */
    instrument_id: string;
    quote_asset: string;
}

/** `GET /data/date-range`. */
export interface DateRangeBody {
    /** Time of the newest market event, RFC 3339. */
    end_date: string;
    /** Opening time of the first bar, RFC 3339. */
    start_date: string;
    /** Of which symbol. */
    symbol: string;
}

/** What every answer is wrapped in. */
export interface Envelope {
    /** `0`. */
    code: string;
    data: CoinglassHeatmap;
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope10 {
    /** `0`. */
    code: string;
    data: Record<string, CoinglassPair[]>;
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope2 {
    /** `0`. */
    code: string;
    data: CoinglassMap;
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope3 {
    /** `0`. */
    code: string;
    data: CoinglassMaxPain[];
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope4 {
    /** `0`. */
    code: string;
    data: CoinglassHistoryRow[];
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope5 {
    /** `0`. */
    code: string;
    data: CoinglassAggregatedHistoryRow[];
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope6 {
    /** `0`. */
    code: string;
    data: CoinglassCoinRow[];
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope7 {
    /** `0`. */
    code: string;
    data: CoinglassExchangeRow[];
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope8 {
    /** `0`. */
    code: string;
    data: CoinglassOrder[];
    msg: string;
}

/** What every answer is wrapped in. */
export interface Envelope9 {
    /** `0`. */
    code: string;
    data: string[];
    msg: string;
}

/** The body of every refused request. */
export interface ErrorBody {
    /** What was wrong and what would be right. */
    detail: string;
}

/** How the data behind a symbol stands. */
export type FeedState = 'live' | 'lagging' | 'stale' | 'replay' | 'degraded' | 'warming_up';

/** `GET /v1/heatmap/history` as JSON. */
export interface GridJson {
    /** Time of the newest market event in it, ms. */
    as_of: number;
    /** Height of a bin. */
    bin: number;
    /** Width of a column, ms. */
    column_ms: number;
    /** Number of columns; the last is still growing. */
    columns: number;
    /**
     * Of measured positions only: share of the longs' open interest that each column shows, 0 to 1; null where that is unknown
     * or nothing was measured.
     */
    coverage_long?: (number | null)[];
    /** The same of the shorts. */
    coverage_short?: (number | null)[];
    /** The epoch of the state that the last column belongs to. */
    epoch: string;
    /** Leverage of each class that has a plane of its own, in the order of the planes; absent without any. */
    leverages?: number[];
    /** Whole USD of longs, one list a column, lowest price first. */
    long: number[][];
    /** Lower edge of the lowest bin. */
    price_low: number;
    /** Number of price bins. */
    rows: number;
    /** Share of open interest that the model has seen open, 0 to 1; 0 of measured positions, which are no model's. */
    seen_share: number;
    /** Whole USD of shorts. */
    short: number[][];
    /** Time at which the first column begins, ms. */
    start: number;
    /** How the data stands. */
    state: FeedState;
    /** Of which symbol. */
    symbol: string;
    /** USD of byte 255. */
    usd_max: number;
    /** USD of byte 1. */
    usd_min: number;
    /** At which venue. */
    venue: string;
}

/** `GET /health`, `/live`, `/ready`. */
export interface HealthBody {
    /** What is not well, in words; empty when all is. */
    reasons: string[];
    /** `ok` or `degraded`. */
    status: string;
    /** The program's version. */
    version: string;
}

/** `POST /v1/ingest`: what became of a file. */
export interface IngestBody {
    /** Rows that were stored before, or stand in the file twice. */
    already_there: number;
    /** Why the file, or the rest of it, was not loaded; empty when it was read to its end. */
    errors: string[];
    /** Whether somebody should look at the file: known gaps of the published data are no trouble. */
    has_trouble: boolean;
    /** Whose rows it holds, such as `BTCUSDT@binance`. */
    instruments: string[];
    /** The name under which it was sent. */
    name: string;
    /** Instruments whose rows are stored, but which this server shows only after a restart. */
    not_served: string[];
    /** Rows refused; `remarks` says why. */
    refused: number;
    /** Refused rows by reason, fields that were lost, and what else is worth knowing. */
    remarks: string[];
    /** Rows that are new in the database. */
    rows: number;
    /** The family of the archive, `klines (parquet)` or `liquidations`. */
    what: string;
}

/** `GET /v1/ingest`: whether files would be taken now. */
export interface IngestStateBody {
    /** Most bytes of a file, as it is sent. */
    bytes_max: number;
    /** Whether a file is being loaded; files are loaded one at a time. */
    is_running: boolean;
}

/** `GET /prices/klines`. */
export interface KlinesBody {
    /** Number of rows. */
    count: number;
    /** Oldest first. */
    data: CandleRow[];
    /** The interval's name. */
    interval: string;
    /** Of which symbol. */
    symbol: string;
}

/** One level of a state on the wire. */
export interface LevelMessage {
    /** Whole USD of longs. */
    long_density: number;
    /** Lower edge of the bin. */
    price: number;
    /** Whole USD of shorts. */
    short_density: number;
}

/** The mass of one leverage class in one bin. */
export interface LevelRow {
    /** Distance of the bin's middle from the price, per cent, signed. */
    distance_pct: number;
    /** Such as `25x`. */
    leverage: string;
    /** Lower edge of the bin. */
    price_level: number;
    /** Whole USD. */
    volume: number;
}

/** `GET /liquidations/levels`. */
export interface LevelsBody {
    /** The price now. */
    current_price: number;
    /** Levels of longs, nearest first. */
    long_liquidations: LevelRow[];
    /** Name and version of the model. */
    model: string;
    /** Levels of shorts, nearest first. */
    short_liquidations: LevelRow[];
    /** Of which symbol. */
    symbol: string;
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

/** `GET /v1/liquidation-price`. */
export interface LiquidationPriceBody {
    /** One row a venue. */
    data: LiquidationPriceRow[];
    /** Entry price. */
    entry_price: number;
    /** Leverage. */
    leverage: number;
    /** Notional at entry, USD; 0 when none was given, which is the first tier. */
    notional_usd: number;
    /** `long` or `short`. */
    side: Side;
    /** Of which symbol. */
    symbol: string;
}

/** The liquidation price under one venue's tiers. */
export interface LiquidationPriceRow {
    /** The price at which the margin is gone. */
    bankruptcy_price: number;
    /** Distance of the liquidation price from the entry, per cent, signed. */
    distance_pct: number | null;
    /** `null` where there is none; `reason` says why. */
    liquidation_price: number | null;
    /** Maintenance margin rate of the tier that holds at the liquidation price. */
    maintenance_rate: number;
    /** Why there is no liquidation price. */
    reason?: string;
    /** The venue. */
    venue: string;
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

/** `GET /v1/liquidations/summary`. */
export interface LiquidationSummaryBody {
    /** Market time at which all windows end, RFC 3339. */
    end_time: string;
    /** Of which symbol. */
    symbol: string;
    /** Shortest first. */
    windows: LiquidationWindow[];
}

/** What was liquidated within a time. */
export interface LiquidationWindow {
    /** How many longs. */
    long_count: number;
    /** Whole USD of longs. */
    long_usd: number;
    /** How many shorts. */
    short_count: number;
    /** Whole USD of shorts. */
    short_usd: number;
    /** When it begins, RFC 3339. */
    start_time: string;
    /** Each venue behind the symbol, also those without any. */
    venues: VenueLiquidations[];
    /** `1h`, `4h`, `12h` or `24h`. */
    window: string;
}

/** `GET /v1/liquidations`. */
export interface LiquidationsBody {
    /** Oldest first. */
    data: LiquidationRow[];
    /** `cursor` of the request for the rows before these; `null` when there are none. */
    next: string | null;
    /** Of which symbol. */
    symbol: string;
}

/** What is followed live, and how it gets into the database. */
export interface LiveStats {
    /** The newest stretches of data that could not be had, oldest first. */
    gaps: string[];
    /** One a venue. */
    sources: SourceStats[];
    /** On the way into the database. */
    writer: WriterStats;
}

/** `GET /v1/map`. */
export interface MapBody {
    /** Time of the newest market event in it, RFC 3339. */
    as_of: string;
    /** Height of a bin. */
    bin: number;
    /** Price of the state. */
    current_price: number;
    /** Epoch of the live state; absent for a state of the past. */
    epoch?: string;
    /**
     * `1h` or `4h` where dollars are what is expected to be liquidated within that time; absent where they are the size
     * of levels.
     */
    expected_within?: string;
    /** Ascending in price. */
    levels: MapRow[];
    /** Leverage classes, lowest first. */
    leverages: number[];
    /** Whole USD of all long levels, shown or not. */
    long_usd: number;
    /** Position of the live state in its epoch; absent for a state of the past. */
    seq?: number;
    /** Whole USD of all short levels. */
    short_usd: number;
    /** Health of the data now. */
    state: FeedState;
    /** Of which symbol. */
    symbol: string;
}

/** One bin of the map; whole USD. */
export interface MapRow {
    /** `long_usd` by leverage class, in the order of `leverages`. */
    long_by_leverage: number[];
    /** Longs in it and in all bins above: what a fall of the price to it would liquidate. */
    long_cumulative_usd: number;
    /** Longs that would be liquidated in it. */
    long_usd: number;
    /** Lower edge of the bin. */
    price: number;
    /** `short_usd` by leverage class. */
    short_by_leverage: number[];
    /** Shorts in it and in all bins below: what a rise to it would liquidate. */
    short_cumulative_usd: number;
    /** Shorts that would be liquidated in it. */
    short_usd: number;
}

/** `GET /v1/max-pain`. */
export interface MaxPainBody {
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
    /** The level at which the most longs would be liquidated; `null` where there is none within the range. */
    long: PainLevel | null;
    /** How far from the price levels were compared, per cent. */
    range_pct: number;
    /** Position of the live state in its epoch; absent for a state of the past. */
    seq?: number;
    /** The level at which the most shorts would be liquidated. */
    short: PainLevel | null;
    /** Health of the data now. */
    state: FeedState;
    /** Of which symbol. */
    symbol: string;
}

/** `GET /v1/measured`: where positions of real accounts would be liquidated. */
export interface MeasuredBody {
    /** Accounts whose next look is due and waits for the request budget. */
    accounts_late: number;
    /** Addresses that are known at the venue. */
    addresses: number;
    /** Time of the marks it was computed with, RFC 3339. */
    as_of: string;
    /** Height of a level. */
    bin: number;
    /** The positions nearest to their liquidation, nearest first. */
    closest: MeasuredPosition[];
    /** Measured longs over the open interest of the side, 0 to 1; absent while that is unknown. */
    coverage_long?: number;
    /** Measured shorts over the open interest of the side, 0 to 1; absent while that is unknown. */
    coverage_short?: number;
    /** Mark price of the venue. */
    current_price: number;
    /** Levels with positions, ascending in price. */
    levels: MeasuredLevel[];
    /** All measured longs. */
    long: MeasuredSideBody;
    /** All measured shorts. */
    short: MeasuredSideBody;
    /** How its data stands. */
    state: FeedState;
    /** The name of the layer, such as `BTCUSDT@hyperliquid:measured`. */
    symbol: string;
}

/** Positions that would be liquidated within one bin. */
export interface MeasuredLevel {
    /** Seconds since the oldest look at one of them. */
    age_s: number;
    /** Accounts of longs. */
    long_accounts: number;
    /** Whole USD of longs at their liquidation prices. */
    long_usd: number;
    /** Lower edge of the bin. */
    price: number;
    /** Accounts of shorts. */
    short_accounts: number;
    /** Whole USD of shorts at their liquidation prices. */
    short_usd: number;
}

/** One position. */
export interface MeasuredPosition {
    /** The account; only with `--show-addresses`. */
    address?: string;
    /** Seconds since the look at the account. */
    age_s: number;
    /** Distance from the mark price in per cent, signed. */
    distance_pct: number;
    /** Where it would be liquidated. */
    liquidation_price: number;
    /** `long` or `short`. */
    side: Side;
    /** Whole USD at the liquidation price. */
    usd: number;
}

/** Measured positions of one side. */
export interface MeasuredSideBody {
    /** Accounts with a position. */
    accounts: number;
    /** Share of the size that was looked at more than 5 minutes ago, 0 to 1. */
    share_older_than_5m: number;
    /** Share of the size that was looked at more than 60 minutes ago, 0 to 1. */
    share_older_than_60m: number;
    /** Share of the size that no price liquidates, 0 to 1. */
    share_without_level: number;
    /** Whole USD at the mark price. */
    usd: number;
}

/** One row of `GET /liquidations/history`. */
export interface OlderLiquidationRow {
    /** Always `null`: no venue publishes it. */
    leverage: number | null;
    /** Reported price. */
    price: number;
    /** Coins. */
    quantity: number;
    /** `long` when a long was liquidated. */
    side: Side;
    /** Of which symbol. */
    symbol: string;
    /** RFC 3339. */
    timestamp: string;
}

/** `/apps.json`: dashboards made of the widgets. */
export type OpenbbApps = unknown[];

/** A value of a parameter. */
export interface OpenbbChoice {
    label: string;
    value: string;
}

/** Size on the grid of a dashboard. */
export interface OpenbbGridSize {
    h: number;
    w: number;
}

/** A parameter that the user may change. */
export interface OpenbbParam {
    description: string;
    label: string;
    options?: OpenbbChoice[];
    paramName: string;
    type: string;
    value: unknown;
}

/** One widget. */
export interface OpenbbWidget {
    category: string;
    /** Where the rows are in an answer, and the columns of a table; or what a chart shows first. */
    data: unknown;
    description: string;
    /** A path of this server. */
    endpoint: string;
    gridData: OpenbbGridSize;
    name: string;
    params: OpenbbParam[];
    refetchInterval: number;
    /** `table`, or `advanced_charting` for a chart that reads the Universal Data Feed. */
    type: string;
}

/** `/widgets.json`: widgets by name. */
export type OpenbbWidgets = Record<string, OpenbbWidget>;

/** The largest level of a side. */
export interface PainLevel {
    /** From the price to the bin's nearest edge, per cent; negative below the price, 0 inside. */
    distance_pct: number;
    /** Lower edge of the bin. */
    price: number;
    /** Of all dollars of its side, 0 to 1. */
    share: number;
    /** Whole USD. */
    usd: number;
}

/** One predictor. A figure that cannot be computed is absent. */
export interface PredictorAccuracy {
    /** Chance that a cell with a liquidation has a higher prediction than one without. */
    area_under_curve?: number;
    /** Headline: rank correlation with USD liquidated after distance is removed, ranks taken inside each hour and side. */
    in_hour_partial?: number;
    /** Its 95 % interval: lower and upper end. */
    in_hour_partial_interval?: [number, number];
    /** `map`, `distance`, `path`, `yesterdays_map` or `candle_colour`. */
    predictor: string;
    /** Spearman's rank correlation with USD liquidated, all touched cells together. */
    rank_correlation?: number;
    /** For people. */
    title: string;
    /** USD liquidated in the tenth of the cells with the highest predictions, over the mean cell. */
    top_tenth_lift?: number;
}

/** Lowest and highest price; both 0 when there is no level. */
export interface PriceRange {
    /** Highest. */
    max: number;
    /** Lowest. */
    min: number;
}

/** A time of every day. */
export interface QuietHoursFields {
    /** `22:00`. */
    from: string;
    /** `07:00`; before `from` it is on the next day. */
    to: string;
    /** `+02:00`; UTC by default. Daylight saving time is not followed. */
    utc_offset?: string;
}

/** `DELETE /v1/alerts`. */
export interface RemovedBody {
    /** The name of the rule that is no longer in force. */
    deleted: string;
}

/** A rule as it is written. */
export interface RuleFields {
    /** feed_stale: seconds without a market event; 60 by default. */
    after_s?: number;
    /**
     * near_wall: a wall is reported again after the price was farther away than this, per cent; twice `within_pct` by
     * default.
     */
    clear_pct?: number;
    /**
     * Least seconds between two alerts of the rule about one symbol; 300 by default, at least 1. What happens
     * meanwhile is counted in the next alert.
     */
    cooldown_s?: number;
    /** What it looks for. */
    kind: RuleKind;
    /** USD; required but for feed_stale. */
    min_usd?: number;
    /** Its name: up to 64 letters, digits, `-`, `_` and `.`; unique. */
    name: string;
    /** A paused rule is kept and listed, and raises nothing. */
    paused?: boolean;
    /** When alerts are recorded and shown, but sent to no target. */
    quiet_hours?: QuietHoursFields;
    /** `long` or `short`: only walls and liquidations of this side; both by default. */
    side?: string;
    /** Symbols as /v1/symbols names them, such as BTCUSDT (all venues) or BTCUSDT@okx; every listed symbol by default. */
    symbols?: string[];
    /** Names of targets; all by default. */
    targets?: string[];
    /** cascade: seconds over which liquidations are summed, up to a day; 300 by default. */
    window_s?: number;
    /**
     * Distance to the nearest edge of the wall, per cent of the price; required for near_wall. For wall_formed and
     * wall_vanished the farthest wall that counts, 10 by default.
     */
    within_pct?: number;
}

/** What a rule looks for. */
export type RuleKind = 'near_wall' | 'wall_swept' | 'liquidation' | 'cascade' | 'wall_formed' | 'wall_vanished' | 'feed_stale';

/** A rule and where it stands. */
export interface RuleRow {
    /** feed_stale: seconds without a market event; 60 by default. */
    after_s?: number;
    /**
     * near_wall: a wall is reported again after the price was farther away than this, per cent; twice `within_pct` by
     * default.
     */
    clear_pct?: number;
    /**
     * Least seconds between two alerts of the rule about one symbol; 300 by default, at least 1. What happens
     * meanwhile is counted in the next alert.
     */
    cooldown_s?: number;
    /** What it looks for. */
    kind: RuleKind;
    /** USD; required but for feed_stale. */
    min_usd?: number;
    /** Its name: up to 64 letters, digits, `-`, `_` and `.`; unique. */
    name: string;
    /** A paused rule is kept and listed, and raises nothing. */
    paused?: boolean;
    /** When alerts are recorded and shown, but sent to no target. */
    quiet_hours?: QuietHoursFields;
    /** `long` or `short`: only walls and liquidations of this side; both by default. */
    side?: string;
    /** `file` or `api`; only those of the API can be deleted here. */
    source: string;
    /** Symbols as /v1/symbols names them, such as BTCUSDT (all venues) or BTCUSDT@okx; every listed symbol by default. */
    symbols?: string[];
    /** Names of targets; all by default. */
    targets?: string[];
    /** cascade: seconds over which liquidations are summed, up to a day; 300 by default. */
    window_s?: number;
    /**
     * Distance to the nearest edge of the wall, per cent of the price; required for near_wall. For wall_formed and
     * wall_vanished the farthest wall that counts, 10 by default.
     */
    within_pct?: number;
}

/** `GET /v1/series`. */
export interface SeriesBody {
    /** Number of rows. */
    count: number;
    /** Oldest first. */
    data: SeriesRow[];
    /** The interval's name. */
    interval: string;
    /** Fields that no row has, because nothing of them is stored for this time. */
    missing: string[];
    /** Of which symbol. */
    symbol: string;
}

/** What was traded, held and paid in one interval. */
export interface SeriesRow {
    /**
     * Funding rate charged in the interval at the venue whose price is shown: paid by longs to shorts when positive;
     * 0.0001 is 0.01 %.
     */
    funding_rate: number | null;
    /** Open interest at the end of the interval in coins, of the venues that counted it then; `null` when none did. */
    open_interest: number | null;
    /** Venues in it. */
    open_interest_venues: number;
    /** Coins that takers bought, all venues; `null` when a part is unknown. */
    taker_buy_volume: number | null;
    /** Beginning of the interval, RFC 3339. */
    timestamp: string;
    /** Coins traded, all venues; `null` when a part is unknown. */
    volume: number | null;
}

/** Whose positions. */
export type Side = 'long' | 'short';

/** How a source of market data is. */
export type SourceState = 'connecting' | 'live' | 'lagging' | 'stale' | 'down' | 'unlisted';

/** A venue. */
export interface SourceStats {
    /** What that means: `ok` within 2 s, `off` beyond, `wrong` beyond 30 s. */
    clock: string;
    /** Connections that bring data now. */
    connections: number;
    /** Data of the past is still being fetched. */
    filling: boolean;
    /** Frames received. */
    frames: number;
    /** Stretches that could not be filled. */
    gaps: number;
    /** Holes that were filled. */
    holes_filled: number;
    /** The venue wants no request before this moment, RFC 3339. */
    paused_until: string | null;
    /** Connections opened again after one was lost. */
    reconnects: number;
    /** Frames, rows of answers and events that were malformed or implausible. */
    refused: number;
    /** Events that came more than once. */
    repeated: number;
    /** Connections replaced because of their age. */
    rollovers: number;
    /** The venue's clock minus the local clock, ms. */
    skew_ms: number | null;
    /** The worst of its streams that must not be silent. */
    state: SourceState;
    /** Every stream of every symbol. */
    streams: StreamStats[];
    /** The last thing that went wrong, in words. */
    trouble: string | null;
    /** Symbols that it does not have, though they were asked for. */
    unlisted?: string[];
    /** Which one. */
    venue: string;
    /** Weight allowed a minute. */
    weight_limit: number;
    /** Weight of requests used in the running minute. */
    weight_used: number;
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

/** `GET /ws/stats`. */
export interface StatsBody {
    /** Sockets open now. */
    active_connections: number;
    /** Position of each board. */
    boards: Record<string, BoardStats>;
    /** Bytes written since the start. */
    bytes_sent: number;
    /** Sockets ended since the start, by close code; 1006 are those that broke. */
    closed_by_code: Record<string, number>;
    /** Sockets open now by how states are written and whether they are compressed (`json`, `json+deflate`, `binary`, ..). */
    connections_by_encoding: Record<string, number>;
    /** States delivered since the start. */
    frames_delivered: number;
    /** States encoded since the start; fewer than delivered, because clients share them. */
    frames_made: number;
    /** Clients that found another hash than they were told. */
    hash_mismatches: number;
    /** Broken invariants of the ledger, by all symbols. */
    invariants_broken: number;
    /** Live venues; absent where nothing is followed. */
    live?: LiveStats;
    /** Frames written since the start. */
    messages_sent: number;
    /** Messages sent in the last minute. */
    messages_sent_1m: number;
    /** Clients that do not keep up now. */
    slow_consumers: number;
    /** Clients ever marked slow. */
    slow_consumers_total: number;
    /** Subscriptions by symbol. */
    subscriptions_by_symbol: Record<string, number>;
    /** Turns of the updater, one symbol each. */
    updates: number;
    /** Turns of the updater that failed. */
    updates_failed: number;
    /** States skipped because a client could not take them. */
    updates_skipped: number;
    /** Sockets refused before they were one, by reason. */
    upgrades_rejected: Record<string, number>;
    /** Seconds since start. */
    uptime_s: number;
}

/** One stream of one symbol. */
export interface StreamStats {
    /** The newest moment it told of, RFC 3339. */
    as_of: string | null;
    /** Events that came. */
    events: number;
    /** How it is. */
    state: SourceState;
    /** Which stream. */
    stream: string;
    /** Which symbol. */
    symbol: string;
}

/** One symbol that is served. */
export interface SymbolRow {
    /** Height of a bin; `null` before the first state. */
    base_bin: number | null;
    /** Opening time of the first bar, ms; `null` before there is one. */
    first: number | null;
    /** Length of its bars; the longest, where venues differ. */
    interval: string;
    /** Time of the newest market event shown, ms; `null` before there is one. */
    last: number | null;
    /** The model's leverage classes, lowest first. */
    leverages: number[];
    /** Whether it is a layer of measured positions (`GET /v1/measured`) and no estimate; absent when it is not. */
    measured?: boolean;
    /** Fingerprints of the model's parameters, in the order of `venues`; empty of measured positions. */
    parameters: string[];
    /** Share of open interest that the model has seen open, 0 to 1. */
    seen_share: number;
    /** Whether its market is made up. */
    simulated: boolean;
    /** How its data stands. */
    state: FeedState;
    /** Its name. */
    symbol: string;
    /** Where it trades; `all` where it is the sum of several venues. */
    venue: string;
    /** The venues in it; `SYMBOL@venue` is each of them alone. */
    venues: string[];
}

/** `GET /v1/symbols`. */
export interface SymbolsBody {
    /** Whether the market is made up. */
    simulated: boolean;
    /** Seconds of the market in a second of the clock; 1 for a live market. */
    speed: number;
    /** What is served. */
    symbols: SymbolRow[];
    /** Whether `/ws/heatmap` accepts connections; a client that reads `false` polls without trying it first. */
    websocket: boolean;
}

/** The state of a target. */
export interface TargetRow {
    /** Whether it failed five times or more in a row. */
    dead: boolean;
    /** Failures since the last success. */
    failures: number;
    /** webhook, telegram, discord, slack or ntfy. */
    kind: string;
    /** Its name. */
    name: string;
    /** Why the last attempt failed; empty after a success. */
    reason: string;
    /** Alerts that wait. */
    waiting: number;
}

/** One maintenance margin tier. */
export interface TierRow {
    /** Cumulative amount, USD. */
    cumulative_usd: number;
    /** Notional from which it holds, USD. */
    floor_usd: number;
    /** Largest leverage that the venue allows in it. */
    leverage_max: number;
    /** Fraction of notional. */
    maintenance_rate: number;
}

/** `GET /v1/tiers`. */
export interface TiersBody {
    /** Of which symbol. */
    symbol: string;
    /** One entry a venue. */
    venues: VenueTiers[];
}

/** `GET /liquidations/heatmap-timeseries`. */
export interface TimeseriesBody {
    /** One row an interval, oldest first. */
    data: TimeseriesRow[];
    /** About all rows. */
    meta: TimeseriesMeta;
}

/** About a time series as a whole. */
export interface TimeseriesMeta {
    /** RFC 3339. */
    end_time: string;
    /** The interval's name. */
    interval: string;
    /** Lowest and highest level in it. */
    price_range: PriceRange;
    /** RFC 3339. */
    start_time: string;
    /** Of which symbol. */
    symbol: string;
    /** (side, leverage class, bin) liquidations over all rows. */
    total_consumed: number;
    /** USD of longs in the last row. */
    total_long_volume: number;
    /** USD of shorts in the last row. */
    total_short_volume: number;
    /** Number of rows. */
    total_snapshots: number;
}

/** The levels at one moment. */
export interface TimeseriesRow {
    /** Ascending in price. */
    levels: LevelMessage[];
    /** (side, leverage class, bin) liquidations since the row before. */
    positions_consumed: number;
    /** (side, leverage class, bin) additions since the row before. */
    positions_created: number;
    /** RFC 3339. */
    timestamp: string;
}

/** `/udf/config`. */
export interface UdfConfig {
    exchanges: UdfExchange[];
    supported_resolutions: string[];
    supports_group_request: boolean;
    supports_marks: boolean;
    supports_search: boolean;
    supports_time: boolean;
    supports_timescale_marks: boolean;
    symbols_types: UdfSymbolType[];
}

/** A refusal: `s` is `error`. */
export interface UdfError {
    errmsg: string;
    s: string;
}

/** An exchange that a search may name. */
export interface UdfExchange {
    desc: string;
    name: string;
    /** Empty for all. */
    value: string;
}

/** A row of `/udf/search`. */
export interface UdfFound {
    description: string;
    exchange: string;
    full_name: string;
    symbol: string;
    ticker: string;
    type: string;
}

/** `/udf/history`: columns of bars, oldest first. */
export interface UdfHistory {
    c: number[];
    h: number[];
    l: number[];
    /** With `no_data`: the newest bar before the requested time. */
    nextTime?: number;
    o: number[];
    /** `ok`, or `no_data`. */
    s: string;
    t: number[];
    /** Coins; 0 where the volume is not known. */
    v: number[];
}

/** `/udf/marks`: columns of marks on bars. */
export interface UdfMarks {
    color: string[];
    id: string[];
    label: string[];
    labelFontColor: string[];
    /** Pixels. */
    minSize: number[];
    text: string[];
    /** Of the bar. */
    time: number[];
}

/** `/udf/symbols`. */
export interface UdfSymbol {
    currency_code: string;
    data_status: string;
    description: string;
    exchange: string;
    'exchange-listed': string;
    'exchange-traded': string;
    has_daily: boolean;
    has_intraday: boolean;
    has_weekly_and_monthly: boolean;
    intraday_multipliers: string[];
    minmov: number;
    name: string;
    /** Steps of a price in one unit of the quote currency, a power of ten. */
    pricescale: number;
    session: string;
    supported_resolutions: string[];
    /** What other routes take as `symbol`. */
    ticker: string;
    timezone: string;
    type: string;
    volume_precision: number;
}

/** A kind of symbol that a search may name. */
export interface UdfSymbolType {
    name: string;
    value: string;
}

/** A mark of `/udf/timescale_marks`. */
export interface UdfTimescaleMark {
    color: string;
    id: string;
    label: string;
    time: number;
    tooltip: string[];
}

/** One venue. */
export interface VenueAccuracy {
    /** What its feed of liquidations tells. */
    feed: string;
    /** The feed leaves out liquidations of busy moments, so dollars are too low and some hits are missing. */
    is_throttled: boolean;
    /** Fingerprint of the graded model's parameters. Other parameters begin a new score. */
    parameters: string;
    /** The last 1, 7 and 30 days. */
    periods: AccuracyPeriod[];
    /** Its name. */
    venue: string;
}

/** What a venue liquidated. */
export interface VenueLiquidations {
    /** How many longs. */
    long_count: number;
    /** Whole USD of longs. */
    long_usd: number;
    /** How many shorts. */
    short_count: number;
    /** Whole USD of shorts. */
    short_usd: number;
    /** Which one. */
    venue: string;
}

/** The maintenance margin tiers of one venue. */
export interface VenueTiers {
    /** Date of the table, RFC 3339. */
    as_of: string;
    /** Lowest notional first. */
    tiers: TierRow[];
    /** The venue. */
    venue: string;
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

/** On the way into the database. */
export interface WriterStats {
    /** Attempts in a row that failed. */
    failing: number;
    /** Events stored since the start. */
    stored: number;
    /** Why the last one failed. */
    trouble: string | null;
    /** Events that wait to be stored. */
    waiting: number;
}

export const FEED_STATES = ['live', 'lagging', 'stale', 'replay', 'degraded', 'warming_up'] as const;
