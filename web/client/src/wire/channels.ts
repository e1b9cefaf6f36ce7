/** Channels beside the heatmap: what can be followed of a symbol, and what their messages hold. Field names are those on the wire. */
import type { FeedState } from './messages.generated.ts';

/** Channels beside the heatmap. */
export const CHANNELS = ['price', 'liquidations', 'walls', 'alerts'] as const;
export type Channel = 'heatmap' | (typeof CHANNELS)[number];

interface ChannelFrameOf<Type extends string, Data> {
    type: Type;
    /** The id of the subscription, where it was given one. */
    id?: string;
    symbol: string;
    /** Market time, RFC 3339. */
    timestamp: string;
    /** One unbroken run of `seq` of this channel of this symbol. */
    epoch: string;
    seq: number;
    data: Data;
}

/** The candle that has not closed yet. */
export interface OpenCandle {
    interval: string;
    /** Opening time, RFC 3339. */
    timestamp: string;
    open: number;
    high: number;
    low: number;
    close: number;
    /** Coins. */
    volume: number | null;
}

export interface PriceData {
    /** Whose prices they are. */
    venue: string;
    last?: number;
    mark?: number;
    candle?: OpenCandle;
}

export type PriceFrame = ChannelFrameOf<'price', PriceData>;

export interface Liquidation {
    /** RFC 3339. */
    timestamp: string;
    venue: string;
    side: 'long' | 'short';
    price: number;
    /** Coins. */
    quantity: number;
    /** Whole US dollars. */
    usd: number;
}

/** A channel of rows: those since the last message, oldest first. Empty in the first message of a subscription. */
interface RowsFrameOf<Type extends string, Row> extends ChannelFrameOf<Type, Row[]> {
    /** Rows since the last message that the server no longer has. */
    missed?: number;
    /** The server started anew: rows may be missing or repeated. */
    reset?: boolean;
}

export type LiquidationsFrame = RowsFrameOf<'liquidations', Liquidation>;

export interface Wall {
    side: 'long' | 'short';
    low: number;
    high: number;
    peak_price: number;
    usd: number;
    /** Of all dollars of its side, 0 to 1. */
    share: number;
    distance_pct: number;
    /** Expected to be liquidated in it within an hour; absent while the volatility is not known. */
    expected_usd_1h?: number;
    usd_on_the_way: number;
    leverages: { leverage: number; usd: number }[];
}

/** The body of `GET /v1/walls`. */
export interface WallsData {
    symbol: string;
    as_of: string;
    epoch?: string;
    seq?: number;
    state: FeedState;
    current_price: number;
    long_usd: number;
    short_usd: number;
    /** Those with the most dollars first. */
    walls: Wall[];
}

export type WallsFrame = ChannelFrameOf<'walls', WallsData>;

/** A wall as an alert shows it. */
export interface WallSpan {
    side: 'long' | 'short';
    low: number;
    /** Exclusive. */
    high: number;
    /** Where it is densest. */
    peak: number;
    usd: number;
}

/** Liquidations that happened, summed. */
export interface LiquidatedSum {
    count: number;
    usd: number;
}

/** What an alert is about; a newer server may have further kinds. */
export type AlertSubject =
    | {
          kind: 'near_wall' | 'wall_formed' | 'wall_vanished';
          wall: WallSpan;
          /** To its nearest edge, per cent; negative below the price. */
          distance_pct: number;
      }
    | {
          kind: 'wall_swept';
          wall: WallSpan;
          /** When the price reached it, RFC 3339. */
          touched: string;
          /** What was really liquidated there; absent where no liquidations of the market are known. */
          liquidated?: LiquidatedSum;
      }
    | { kind: 'liquidation'; venue: string; side: 'long' | 'short'; price: number; usd: number; time: string }
    | { kind: 'cascade'; window_s: number; long: LiquidatedSum; short: LiquidatedSum }
    | {
          kind: 'feed_stale';
          /** Time of the newest market event, RFC 3339. */
          as_of: string;
      };

/** What a rule of the server reported. */
export interface Alert {
    /** Names it for ever: one that has been seen can be ignored. */
    id: string;
    /** The rule's name. */
    rule: string;
    symbol: string;
    /** Market time at which it was raised, RFC 3339. */
    time: string;
    price: number;
    /** Whether it fell into quiet hours and was sent to no target. */
    quiet: boolean;
    /** The largest where there is more than one. */
    subject: AlertSubject;
    /** How often it happened since the rule's last alert about the symbol. */
    count: number;
    /** Whole US dollars of all of them; 0 where it is about no amount. */
    usd: number;
    /** The alert in words. */
    text: string;
}

export type AlertsFrame = RowsFrameOf<'alerts', Alert>;

export type ChannelFrame = PriceFrame | LiquidationsFrame | WallsFrame | AlertsFrame;
