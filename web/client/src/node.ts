/** The entry for Node: the same class. Node has a WebSocket since version 22; before that the package `ws` supplies it. */
import { HeatmapWebSocket as Connection, type HeatmapOptions } from './connection/heatmap-websocket.ts';
import { type Environment, type Socket, standardEnvironment } from './transport/environment.ts';

export type * from './index.ts';
export { FEED_STATES, SOURCE_STATES } from './wire/frames.ts';

type Constructor = new (url: string, protocols: string[]) => Socket;

async function socketConstructor(): Promise<Constructor | null> {
    if (typeof WebSocket !== 'undefined') return WebSocket as unknown as Constructor;
    try {
        return (await import('ws')).WebSocket as unknown as Constructor;
    } catch {
        return null;
    }
}

const SocketOfNode = await socketConstructor();

function openSocket(url: string, protocols: string[]): Socket {
    if (SocketOfNode === null)
        throw new Error(`Node ${process.versions.node} has no WebSocket: use Node 22 or later, or install the package 'ws'`);
    return new SocketOfNode(url, protocols);
}

/** A connection over Node's WebSocket, or that of `ws` where Node has none. */
export class HeatmapWebSocket extends Connection {
    constructor(url: string, options: HeatmapOptions = {}, world: Environment = standardEnvironment(openSocket)) {
        super(url, options, world);
    }
}
