/** Live liquidation heatmaps. `HeatmapWebSocket` is all most pages need; the rest are the types of what it hands out. */
import { HeatmapWebSocket as Connection, type HeatmapOptions } from './connection/heatmap-websocket.ts';
import { type Environment, type Socket, standardEnvironment } from './transport/environment.ts';

export type { HeatmapOptions } from './connection/heatmap-websocket.ts';
export type { Reason, Status, StatusChange } from './connection/status.ts';
export type { SymbolState } from './connection/subscriptions.ts';
export type { Environment, Socket } from './transport/environment.ts';
export type {
    Alert,
    AlertSubject,
    AlertsFrame,
    Channel,
    ChannelFrame,
    LiquidatedSum,
    Liquidation,
    LiquidationsFrame,
    OpenCandle,
    PriceData,
    PriceFrame,
    Wall,
    WallSpan,
    WallsData,
    WallsFrame,
} from './wire/channels.ts';
export type {
    DeltaFrame,
    ErrorFrame,
    FeedState,
    HeatmapData,
    Horizon,
    Level,
    SnapshotFrame,
    SourceHealth,
    SourceState,
    StatusFrame,
    SubscribeOptions,
    WarningFrame,
} from './wire/frames.ts';
export { FEED_STATES, SOURCE_STATES } from './wire/frames.ts';

function openSocket(url: string, protocols: string[]): Socket {
    return new WebSocket(url, protocols) as Socket;
}

/** A connection over the standard WebSocket of the page. */
export class HeatmapWebSocket extends Connection {
    constructor(url: string, options: HeatmapOptions = {}, world: Environment = standardEnvironment(openSocket)) {
        super(url, options, world);
    }
}
