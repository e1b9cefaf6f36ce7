/** Every status and every reason the README names, each brought about the way it comes about. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { StatusMachine } from '../src/connection/status.ts';
import { type HeatmapOptions, HeatmapWebSocket, type StatusChange } from '../src/index.ts';
import { FakeWorld } from './fake-world.ts';

const README = readFileSync(new URL('../../../client/README.md', import.meta.url), 'utf8');

interface Run {
    world: FakeWorld;
    client: HeatmapWebSocket;
}

const seen: StatusChange[] = [];

function run(options: HeatmapOptions = {}, url = 'ws://server:8000/ws/heatmap'): Run {
    const world = new FakeWorld();
    const client = new HeatmapWebSocket(url, options, world);
    seen.push(client.status);
    client.addEventListener('statuschange', (event) => seen.push((event as CustomEvent<StatusChange>).detail));
    client.subscribe(['BTCUSDT']);
    return { world, client };
}

function opened(options: HeatmapOptions = {}): Run {
    const made = run(options);
    made.client.connect();
    made.world.socket().open();
    return made;
}

function last(): string {
    const change = seen.at(-1);
    return `${change?.previous} -> ${change?.status}: ${change?.reason}`;
}

const feed = (state: string): object => ({ type: 'status', symbol: 'BTCUSDT', state, as_of: null, seq: 1 });
const state = { type: 'snapshot', symbol: 'BTCUSDT', timestamp: 't', data: { levels: [], current_price: 1 } };

test('created, asked, opened', () => {
    const { client, world } = run();
    assert.deepEqual([client.status.status, client.status.reason], ['disconnected', 'created']);
    client.connect();
    assert.equal(last(), 'disconnected -> connecting: asked');
    world.socket().open();
    assert.equal(last(), 'connecting -> connected: opened');
    client.disconnect();
    assert.equal(last(), 'connected -> disconnected: asked');
});

test('closed, retry: the time of the next attempt is reported and kept', async () => {
    const { client, world } = opened();
    world.socket().end();
    assert.equal(last(), 'connected -> disconnected: closed');
    assert.equal(client.status.retryAt, world.now() + 2_000);
    await world.pass(1_999);
    assert.equal(world.sockets.length, 1);
    await world.pass(1);
    assert.equal(last(), 'disconnected -> connecting: retry');
});

test('goaway: its delay wins over the backoff, and over a close code that says now', async () => {
    for (const code of [1012, 1001, 4200, 1006]) {
        const { client, world } = opened();
        world.socket().say({ type: 'goaway', reason: 'server restarts', reconnect_in_ms: 9_000 });
        assert.equal(client.status.status, 'connected', 'still connected until the server closes');
        world.socket().end(code);
        assert.equal(last(), 'connected -> disconnected: goaway');
        await world.pass(8_999);
        assert.equal(world.sockets.length, 1, String(code));
        await world.pass(1);
        assert.equal(world.sockets.length, 2, String(code));
    }
});

test('refused: the server does not want this client back', async () => {
    for (const code of [1008, 4000, 4099]) {
        const { client, world } = opened();
        world.socket().end(code, 'no');
        assert.equal(last(), 'connected -> failed: refused');
        await world.pass(600_000);
        assert.equal(world.sockets.length, 1);
        client.connect();
        assert.equal(last(), 'failed -> connecting: asked');
    }
});

test('every other close code comes back', async () => {
    for (const code of [1000, 1001, 1002, 1003, 1006, 1007, 1009, 1011, 1012, 4100, 4101, 4102, 4103, 4199, 4200, 4299]) {
        const { world } = opened();
        world.socket().end(code);
        await world.pass(2_000);
        assert.equal(world.sockets.length, 2, String(code));
    }
});

test('no answer: a handshake that hangs, and a probe', async () => {
    const hanging = run();
    hanging.client.connect();
    await hanging.world.pass(10_000);
    assert.equal(last(), 'connecting -> disconnected: no_answer');
    assert.equal(hanging.world.sockets[0]?.closed, true);

    const { world } = opened();
    world.wake();
    await world.pass(5_000);
    assert.equal(last(), 'connected -> disconnected: no_answer');
});

test('silent, heard again', async () => {
    const { world } = opened();
    await world.pass(45_000);
    assert.equal(last(), 'connected -> stale: silent');
    world.socket().say({ type: 'pong', timestamp: 't' });
    assert.equal(last(), 'stale -> connected: heard_again');
});

test('slow, caught up', async () => {
    const { world } = opened();
    world.socket().say({ type: 'warning', code: 'SLOW_CONSUMER', message: 'behind', dropped_messages: 2 });
    assert.equal(last(), 'connected -> slow: server_says_slow');
    for (let n = 0; n < 4; n++) {
        await world.pass(5_000);
        world.socket().say({ type: 'pong', timestamp: 't' });
    }
    assert.equal(last(), 'slow -> connected: caught_up');
});

test('stale feed, well again; a slow client with a stale feed is stale', () => {
    const { world } = opened();
    world.socket().say({ type: 'warning', code: 'SLOW_CONSUMER', message: 'behind', dropped_messages: 2 });
    world.socket().say(feed('stale'));
    assert.equal(last(), 'slow -> stale: feed_stale');
    world.socket().say(feed('live'));
    assert.equal(last(), 'stale -> connected: feed_well');
});

test('polling answers, fails, and gives way to the socket', async () => {
    const { world, client } = opened();
    let answers = true;
    world.answer = (url) =>
        url.pathname !== '/v1/heatmap'
            ? new Error('refused')
            : answers
              ? { status: 200, body: JSON.stringify(state) }
              : { status: 500, body: '' };
    for (let failure = 0; failure < 3; failure++) {
        world.socket().end();
        if (failure < 2) await world.pass((client.status.retryAt ?? 0) - world.now());
    }
    await world.pass(0);
    assert.equal(last(), 'disconnected -> polling: polling_answers');
    answers = false;
    await world.pass(5_000);
    assert.equal(last(), 'polling -> disconnected: polling_failed');
    assert.ok((client.status.retryAt ?? 0) > world.now(), 'when the socket is tried again is still told');
    answers = true;
    await world.pass(10_000);
    assert.equal(client.status.status, 'polling');
    const tried = world.sockets.length;
    while (world.sockets.length === tried) await world.pass(1_000);
    assert.equal(client.status.status, 'polling', 'an attempt does not hide that polling works');
    world.socket().open();
    assert.equal(last(), 'polling -> connected: opened');
});

test('after five attempts it still polls, and still tries the socket', async () => {
    const { world, client } = opened();
    world.answer = () => ({ status: 200, body: JSON.stringify(state) });
    for (let attempt = 0; attempt < 8; attempt++) {
        world.socket().end();
        const tried = world.sockets.length;
        for (let second = 0; second <= 32 && world.sockets.length === tried; second++) await world.pass(1_000);
        assert.equal(world.sockets.length, tried + 1, `attempt ${attempt}`);
        if (attempt >= 3) assert.equal(client.status.status, 'polling');
    }
});

test('no token, bad address, aborted, gave up, switched off', async () => {
    const { client, world } = run({ token: () => Promise.reject(new Error('signed out')) });
    client.connect();
    await world.pass(0);
    assert.equal(last(), 'connecting -> disconnected: no_token');
    assert.equal(client.status.retryAt, world.now() + 2_000);

    run({}, 'bad address').client.connect();
    assert.equal(last(), 'connecting -> failed: bad_address');

    const stop = new AbortController();
    opened({ signal: stop.signal });
    stop.abort();
    assert.equal(last(), 'connected -> disconnected: aborted');

    const few = opened({ maxReconnectAttempts: 0 });
    few.world.socket().end();
    assert.equal(last(), 'connected -> failed: gave_up');

    opened().client.useSocket(false);
    assert.equal(last(), 'connected -> disconnected: socket_off');
});

test('all of the above were all there are, and the README names them', () => {
    const table = README.slice(README.indexOf('## Status'));
    const named = (heading: string): string[] => {
        const from = table.indexOf(heading);
        const rows = table.slice(from).split('\n\n')[1] ?? '';
        return [...rows.matchAll(/^\| `(\w+)` \|/gm)].map(([, name]) => name ?? '').sort();
    };
    assert.deepEqual([...new Set(seen.map(({ status }) => status))].sort(), named('## Status'));
    assert.deepEqual([...new Set(seen.map(({ reason }) => reason))].sort(), named('### Reasons'));
    assert.ok(
        seen.every(({ message }) => message !== ''),
        'each comes with a sentence',
    );
});

test('a move that is not in the table is a bug, and refused', () => {
    const machine = new StatusMachine(() => {});
    assert.throws(() => machine.move('connected', 'opened', 'm'), /no move from disconnected to connected/);
    assert.equal(machine.get().status, 'disconnected');
});
