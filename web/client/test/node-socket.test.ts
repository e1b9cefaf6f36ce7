import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { WebSocketServer, type WebSocket as Peer } from 'ws';
import { NodeSocket } from '../src/transport/node-socket.ts';

async function pair(): Promise<{ socket: NodeSocket; peer: Peer; server: WebSocketServer }> {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
    await once(server, 'listening');
    const connected = once(server, 'connection');
    const socket = new NodeSocket(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/ws/heatmap`);
    const opened = new Promise<void>((resolve) => {
        socket.onopen = () => resolve();
    });
    const [peer] = (await connected) as [Peer];
    await opened;
    return { socket, peer, server };
}

function message(socket: NodeSocket): Promise<unknown> {
    return new Promise((resolve) => {
        socket.onmessage = ({ data }) => resolve(data);
    });
}

test('messages of every size travel both ways', async () => {
    const { socket, peer, server } = await pair();
    for (const size of [0, 1, 125, 126, 127, 65_535, 65_536, 200_000]) {
        const text = 'ü'.repeat(size / 2) + 'x'.repeat(size % 2);
        const there = once(peer, 'message');
        socket.send(text);
        assert.equal(String((await there)[0]), text);
        const back = message(socket);
        peer.send(text);
        assert.equal(await back, text);
    }
    server.close();
    peer.terminate();
});

test('subprotocols are offered, and binary messages arrive as bytes', async () => {
    const server = new WebSocketServer({ port: 0, host: '127.0.0.1', handleProtocols: (offered) => [...offered][0] ?? false });
    await once(server, 'listening');
    const connected = once(server, 'connection');
    const address = `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    const socket = new NodeSocket(address, ['liqheat.v1.bin', 'liqheat.v1.json', 'bearer.abc']);
    const [peer] = (await connected) as [Peer];
    assert.equal(peer.protocol, 'liqheat.v1.bin');
    const heard = message(socket);
    peer.send(Uint8Array.of(1, 2, 255));
    assert.deepEqual([...((await heard) as Uint8Array)], [1, 2, 255]);
    server.close();
    peer.terminate();
});

test('a message in parts is put together, with a ping in between answered', async () => {
    const { socket, peer, server } = await pair();
    const whole = message(socket);
    const pong = once(peer, 'pong');
    peer.send('one ', { fin: false });
    peer.ping('are you there');
    peer.send('two', { fin: true });
    assert.equal(await whole, 'one two');
    assert.equal(String((await pong)[0]), 'are you there');
    server.close();
    peer.terminate();
});

test('the close code and reason arrive, from either side', async () => {
    const { socket, peer, server } = await pair();
    const closed = new Promise<{ code: number; reason: string }>((resolve) => {
        socket.onclose = resolve;
    });
    peer.close(4001, 'bad token');
    assert.deepEqual(await closed, { code: 4001, reason: 'bad token' });
    const other = await pair();
    const left = once(other.peer, 'close');
    other.socket.close(1000, 'enough');
    const [code, reason] = (await left) as [number, Buffer];
    assert.deepEqual([code, String(reason)], [1000, 'enough']);
    server.close();
    other.server.close();
});

test('a connection that is cut, refused or answered as plain HTTP is a 1006', async () => {
    const { socket, peer, server } = await pair();
    const code = (of: NodeSocket): Promise<number> => new Promise((resolve) => {
        of.onclose = (event) => resolve(event.code);
    });
    const cut = code(socket);
    peer.terminate();
    assert.equal(await cut, 1006);
    server.close();
    const http: Server = createServer((_request, response) => response.writeHead(503).end());
    http.listen(0, '127.0.0.1');
    await once(http, 'listening');
    const { port } = http.address() as AddressInfo;
    assert.equal(await code(new NodeSocket(`ws://127.0.0.1:${port}/`)), 1006);
    http.close();
    http.closeAllConnections();
    await once(http, 'close');
    assert.equal(await code(new NodeSocket(`ws://127.0.0.1:${port}/`)), 1006);
    assert.throws(() => new NodeSocket('http://x/'), SyntaxError);
    assert.throws(() => new NodeSocket('nonsense'), SyntaxError);
});
