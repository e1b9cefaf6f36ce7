/** The entry for Node: the same class, with a WebSocket of its own where Node has none. */
import { HeatmapWebSocket as Connection, type HeatmapOptions } from './connection/heatmap-websocket.ts';
import { standardEnvironment, type Environment, type Socket } from './transport/environment.ts';
import { NodeSocket } from './transport/node-socket.ts';

export type * from './index.ts';

function openSocket(url: string, protocols: string[]): Socket {
    return typeof WebSocket === 'undefined' ? new NodeSocket(url, protocols) : (new WebSocket(url, protocols) as Socket);
}

/** A connection over Node's WebSocket, or this package's where there is none (before Node 22). */
export class HeatmapWebSocket extends Connection {
    constructor(url: string, options: HeatmapOptions = {}, world: Environment = standardEnvironment(openSocket)) {
        super(url, options, world);
    }
}
