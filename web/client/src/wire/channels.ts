/** Channels beside the heatmap: what can be followed of a symbol, and the messages that come of it. */
import type {
    AlertRow,
    AlertsMessage,
    LiquidationRow,
    LiquidationsMessage,
    PriceMessage,
    WallRow,
    WallsBody,
    WallsMessage,
} from './messages.generated.ts';

export type { AlertSubject, LiquidatedSum, OpenCandle, PriceData, WallSpan } from './messages.generated.ts';

/** Channels beside the heatmap. */
export const CHANNELS = ['price', 'liquidations', 'walls', 'alerts'] as const;
export type Channel = 'heatmap' | (typeof CHANNELS)[number];

/** What a rule of the server reported. */
export type Alert = AlertRow;
export type Liquidation = LiquidationRow;
export type Wall = WallRow;
/** The body of `GET /v1/walls`. */
export type WallsData = WallsBody;

export type PriceFrame = PriceMessage;
export type LiquidationsFrame = LiquidationsMessage;
export type WallsFrame = WallsMessage;
export type AlertsFrame = AlertsMessage;
export type ChannelFrame = PriceFrame | LiquidationsFrame | WallsFrame | AlertsFrame;
