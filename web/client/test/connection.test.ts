import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { type DeltaFrame, type ErrorFrame, type HeatmapOptions, HeatmapWebSocket, type SnapshotFrame, type Status } from '../src/index.ts';
import { StateHash } from '../src/wire/hash.ts';
import { type FakeSocket, FakeWorld } from './fake-world.ts';

const URL_ = 'ws://server:8000/ws/heatmap';

function frame(seq: number, long = seq * 1000, extra: object = {}): object {
    const hash = new StateHash();
    hash.add(98_000, long, 5);
    return {
        type: 'snapshot',
        symbol: 'BTCUSDT',
        timestamp: '2025-12-28T14:30:00Z',
        epoch: 'e',
        seq,
        hash: hash.text(),
        data: {
            levels: [{ price: 98_000, long_density: long, short_density: 5 }],
            current_price: 98_450,
            positions_created: 1,
            positions_consumed: 0,
        },
        ...extra,
    };
}

interface Log {
    world: FakeWorld;
    client: HeatmapWebSocket;
    snapshots: SnapshotFrame[];
    deltas: DeltaFrame[];
    statuses: Status[];
    errors: ErrorFrame[];
}

function setUp(options: HeatmapOptions = {}, url = URL_): Log {
    const world = new FakeWorld();
    const log: Omit<Log, 'client'> = { world, snapshots: [], deltas: [], statuses: [], errors: [] };
    const client = new HeatmapWebSocket(
        url,
        {
            onSnapshot: (message) => log.snapshots.push(message),
            onDelta: (message) => log.deltas.push(message),
            onStatusChange: (status) => log.statuses.push(status),
            onError: (message) => log.errors.push(message),
            ...options,
        },
        world,
    );
    return { ...log, client };
}

function connected(options: HeatmapOptions = {}): Log {
    const log = setUp(options);
    log.client.subscribe(['BTCUSDT']);
    log.client.connect();
    log.world.socket().open();
    return log;
}

test('subscriptions made before the connection opens are sent when it does', () => {
    const { world, client, snapshots, statuses } = setUp();
    client.connect();
    client.subscribe(['BTCUSDT', 'ETHUSDT'], { updateInterval: 5 });
    world.socket().open();
    assert.deepEqual(world.socket().subscribes(), [{ action: 'subscribe', symbols: ['BTCUSDT', 'ETHUSDT'], update_interval: 5 }]);
    world.socket().say(frame(1));
    assert.equal(snapshots.length, 1);
    assert.equal(client.state('BTCUSDT')?.snapshot.seq, 1);
    assert.deepEqual(statuses, ['connecting', 'connected']);
});

test('no message names more than ten symbols', () => {
    const { world, client } = setUp();
    client.subscribe(Array.from({ length: 23 }, (_, n) => `S${n}`));
    client.connect();
    world.socket().open();
    assert.deepEqual(
        world
            .socket()
            .subscribes()
            .map(({ symbols }) => (symbols as string[]).length),
        [10, 10, 3],
    );
});

test('subscriptions outlive a reconnect, which names its position; the same state is not delivered twice', async () => {
    const { world, client, snapshots, statuses } = connected();
    world.socket().say(frame(7));
    world.socket().end();
    assert.equal(client.status.retryAt, world.now() + 2_000);
    await world.pass(2_000);
    world.socket().open();
    assert.deepEqual(world.socket().subscribes()[0]?.resume, { BTCUSDT: { epoch: 'e', seq: 7 } });
    world.socket().say(frame(7));
    world.socket().say(frame(8));
    assert.deepEqual(
        snapshots.map(({ seq }) => seq),
        [7, 8],
    );
    assert.deepEqual(statuses, ['connecting', 'connected', 'disconnected', 'connecting', 'connected']);
});

test('waiting doubles from 2 to 32 seconds and only a frame that arrived resets it', async () => {
    const { world, client } = connected({ pollUrl: false });
    const waits: number[] = [];
    for (let n = 0; n < 6; n++) {
        world.socket().end();
        const wait = (client.status.retryAt ?? 0) - world.now();
        waits.push(wait);
        await world.pass(wait);
        world.socket().open();
    }
    assert.deepEqual(waits, [2_000, 4_000, 8_000, 16_000, 32_000, 32_000]);
    world.socket().say({ type: 'pong', timestamp: 't' });
    world.socket().end();
    assert.equal((client.status.retryAt ?? 0) - world.now(), 2_000);
});

test('the jitter is full: chance 0 comes back at once', () => {
    const { world, client } = connected({ pollUrl: false });
    world.chance = 0;
    world.socket().end();
    assert.equal(client.status.retryAt, world.now());
});

test('close codes decide: stay away, now, later; the delay of a goaway wins', async () => {
    const stay = connected();
    stay.world.socket().end(4001, 'bad token');
    assert.equal(stay.client.status.status, 'failed');
    assert.match(stay.client.status.message, /4001: bad token/);
    await stay.world.pass(100_000);
    assert.equal(stay.world.sockets.length, 1);
    assert.equal(stay.world.timers(), 0);

    const now = connected();
    now.world.socket().say(frame(1));
    now.world.socket().end(4200);
    assert.equal(now.client.status.retryAt, now.world.now());

    const away = connected();
    away.world.socket().say({ type: 'goaway', reason: 'restart', reconnect_in_ms: 8_123 });
    away.world.socket().end(1012);
    assert.equal(away.client.status.retryAt, away.world.now() + 8_123);
});

test('a silent socket turns stale, is probed, and is left when nothing answers', async () => {
    const { world, client, statuses } = connected();
    world.socket().say(frame(1));
    await world.pass(45_000);
    assert.equal(client.status.status, 'stale');
    const first = world.socket();
    await world.pass(5_000);
    assert.equal(first.closed, true);
    assert.equal(client.status.reason, 'no_answer');
    await world.pass(2_000);
    world.socket().open();
    assert.deepEqual(statuses, ['connecting', 'connected', 'stale', 'disconnected', 'connecting', 'connected']);
});

test('a silent socket that answers the probe is kept', async () => {
    const { world, client } = connected();
    await world.pass(45_000);
    world.socket().say({ type: 'pong', timestamp: 't' });
    assert.equal(client.status.status, 'connected');
    await world.pass(10_000);
    assert.equal(world.sockets.length, 1);
});

test('it pings every 30 seconds, so a quiet market keeps the connection', async () => {
    const { world, client } = connected();
    for (let n = 0; n < 10; n++) {
        await world.pass(15_000);
        world.socket().say({ type: 'status', symbol: 'BTCUSDT', state: 'live', as_of: null, seq: 1 });
    }
    const pings = world.socket().sent.filter(({ action }) => action === 'ping').length;
    assert.ok(pings >= 5 && pings <= 7, `${pings} pings`);
    assert.equal(client.status.status, 'connected');
});

test('a machine that slept and a page that comes back probe at once', async () => {
    const { world, client } = connected();
    world.socket().say(frame(1));
    await world.pass(4_000);
    world.sleep(3_600_000);
    await world.pass(1_000);
    await world.pass(5_000);
    assert.equal(client.status.reason, 'no_answer');

    const other = connected();
    const pings = (): number => other.world.socket().sent.filter(({ action }) => action === 'ping').length;
    const before = pings();
    other.world.wake();
    assert.equal(pings(), before + 1);
    other.world.socket().end();
    other.world.wake();
    assert.equal(other.world.sockets.length, 2);
});

test('after three failures it polls, with one state object and no state twice, and goes back to the socket', async () => {
    const { world, client, snapshots, statuses } = connected();
    world.socket().say(frame(1));
    let seq = 1;
    world.answer = (url) => {
        if (url.pathname !== '/v1/heatmap') return { status: 426, body: '' };
        const since = url.searchParams.get('since');
        if (since === `e:${seq}`) return { status: 304, body: '' };
        return { status: 200, body: JSON.stringify(frame(seq)) };
    };
    for (let failure = 0; failure < 3; failure++) {
        world.socket().end();
        await world.pass(failure === 2 ? 0 : 40_000);
    }
    assert.equal(client.status.status, 'polling');
    assert.equal(snapshots.length, 1);
    seq = 2;
    await world.pass(5_000);
    assert.deepEqual(
        snapshots.map((each) => each.seq),
        [1, 2],
    );
    assert.equal(client.state('BTCUSDT')?.via, 'polling');
    // The tag of an answer stands for its levels: only the position may decide whether there is something new.
    assert.ok(world.requests.every(({ headers }) => !('if-none-match' in headers)));
    const tried = world.sockets.length;
    while (world.sockets.length === tried) await world.pass(1_000);
    world.socket().open();
    assert.equal(client.status.status, 'connected');
    world.socket().say(frame(2));
    assert.equal(snapshots.length, 2);
    const asked = world.requests.length;
    await world.pass(20_000);
    assert.equal(world.requests.length, asked);
    assert.equal(statuses.filter((each) => each === 'polling').length, 1);
});

test('an answer of the part that was looked at before is dropped, and the new part is asked for at once', async () => {
    const { world, client, snapshots } = setUp();
    const answers: ((body: object) => void)[] = [];
    world.get = (url) => {
        world.requests.push({ url: new URL(url), headers: {} });
        return new Promise((resolve) => answers.push((body) => resolve({ status: 200, body: JSON.stringify(body) })));
    };
    const bins = (): (string | null)[] => world.requests.map(({ url }) => url.searchParams.get('bin'));
    client.subscribe(['BTCUSDT'], { bin: 100 });
    client.useSocket(false);
    client.connect();
    await world.pass(0);
    client.subscribe(['BTCUSDT'], { bin: 200 });
    await world.pass(0);
    assert.deepEqual(bins(), ['100', '200']);
    answers[0]?.(frame(1, 1));
    await world.pass(0);
    assert.equal(client.state('BTCUSDT'), undefined, 'levels of the wrong height');
    answers[1]?.(frame(1, 2));
    await world.pass(0);
    assert.deepEqual(
        snapshots.map(({ data }) => data.levels[0]?.long_density),
        [2],
    );
    // Left and come back to while a request is under way: it is one symbol, asked for at one pace.
    await world.pass(5_000);
    client.unsubscribe(['BTCUSDT']);
    client.subscribe(['BTCUSDT'], { bin: 200 });
    await world.pass(0);
    assert.equal(answers.length, 4);
    for (const answer of answers.slice(2)) answer(frame(2, 2));
    await world.pass(5_000);
    assert.equal(answers.length, 5);
});

test('a 503 means polling at once', async () => {
    const { world, client } = setUp();
    world.answer = (url) => (url.pathname === '/ws/heatmap' ? { status: 503, body: '' } : { status: 200, body: JSON.stringify(frame(3)) });
    client.subscribe(['BTCUSDT']);
    client.connect();
    world.socket().end();
    await world.pass(0);
    await world.pass(0);
    assert.equal(client.status.status, 'polling');
    assert.equal(client.state('BTCUSDT')?.snapshot.seq, 3);
});

test('a server without polling is only reconnected to', async () => {
    const { world, client } = connected();
    world.answer = () => ({ status: 404, body: '' });
    for (let failure = 0; failure < 4; failure++) {
        world.socket().end();
        await world.pass((client.status.retryAt ?? 0) - world.now());
    }
    assert.equal(client.status.status, 'connecting');
    assert.equal(world.requests.filter(({ url }) => url.pathname === '/v1/heatmap').length, 1);
});

test('differences are applied: onDelta gets the change, onSnapshot the whole', () => {
    const { world, client, snapshots, deltas } = setUp();
    client.subscribe(['BTCUSDT'], { mode: 'delta' });
    client.connect();
    world.socket().open();
    assert.equal(world.socket().subscribes()[0]?.mode, 'delta');
    world.socket().say(frame(1));
    const change = frame(2, 7_777, { type: 'delta', from: 1 });
    world.socket().say(change);
    assert.equal(deltas.length, 1);
    assert.equal(snapshots[1]?.data.levels[0]?.long_density, 7_777);
});

test('a difference that does not fit is reported and a whole state asked for', () => {
    const { world, snapshots, errors } = connected();
    world.socket().say(frame(1));
    world.socket().say(frame(9, 1, { type: 'delta', from: 8 }));
    assert.equal(errors[0]?.code, 'SEQUENCE_GAP');
    assert.equal(world.socket().subscribes().length, 2);
    assert.equal(world.socket().subscribes()[1]?.resume, undefined);
    world.socket().say(frame(9));
    assert.deepEqual(
        snapshots.map(({ seq }) => seq),
        [1, 9],
    );
});

test('a wrong hash is reported and reported, and a third one in a row is shown rather than asked for for ever', () => {
    const { world, snapshots, errors } = connected();
    world.socket().say(frame(1, 1, { hash: '00000000deadbeef' }));
    assert.equal(errors[0]?.code, 'HASH_MISMATCH');
    assert.equal(snapshots.length, 0);
    const asked = world.socket().subscribes()[1];
    assert.equal((asked?.mismatch as Record<string, { seq: number }> | undefined)?.BTCUSDT?.seq, 1);
    world.socket().say(frame(1, 1, { hash: '00000000deadbeef' }));
    assert.equal(snapshots.length, 0);
    world.socket().say(frame(1, 1, { hash: '00000000deadbeef' }));
    assert.equal(snapshots.length, 1);
    assert.equal(snapshots[0]?.seq, undefined);
    assert.equal(world.socket().subscribes().length, 3);
    world.socket().say(frame(2));
    assert.equal(snapshots[1]?.seq, 2);
});

/** What the newest subscription is called on the wire. */
function idOf(world: FakeWorld): unknown {
    return world.socket().subscribes().at(-1)?.id;
}

function acknowledging(...symbols: string[]): Log & { acks: () => [symbol: unknown, seq: unknown][] } {
    const log = setUp();
    log.client.subscribe(symbols, { ack: true });
    log.client.connect();
    log.world.socket().open();
    const acks = (): [unknown, unknown][] =>
        log.world
            .socket()
            .sent.filter(({ action }) => action === 'ack')
            .map(({ symbol, seq }) => [symbol, seq]);
    return { ...log, acks };
}

test('acks go out after the paint, when asked for', () => {
    const { world, acks } = acknowledging('BTCUSDT');
    world.socket().say(frame(4));
    assert.deepEqual(acks(), []);
    world.paint();
    assert.deepEqual(acks(), [['BTCUSDT', 4]]);
    world.paint();
    assert.equal(acks().length, 1, 'once');
    const silent = connected();
    silent.world.socket().say(frame(4));
    silent.world.paint();
    assert.equal(silent.world.socket().sent.filter(({ action }) => action === 'ack').length, 0, 'not asked for');
});

test('after a stall one ack a symbol goes out, of the newest state', () => {
    const { world, snapshots, acks } = acknowledging('BTCUSDT', 'ETHUSDT');
    for (let seq = 1; seq <= 200; seq++) {
        world.socket().say(frame(seq));
        if (seq % 2 === 0) world.socket().say(frame(seq, seq, { symbol: 'ETHUSDT' }));
    }
    assert.equal(snapshots.length, 300, 'the application has seen all of them');
    world.paint();
    assert.deepEqual(acks(), [
        ['BTCUSDT', 200],
        ['ETHUSDT', 200],
    ]);
});

test('a lagging page sends at most one ack a symbol and paint, and never one of a state that is not painted', () => {
    const { world, acks } = acknowledging('BTCUSDT');
    let seq = 0;
    for (let paint = 1; paint <= 50; paint++) {
        for (let n = 0; n < 7; n++) world.socket().say(frame(++seq));
        const painted = seq;
        // What arrives while the frame is painted is in the next one.
        world.paint(() => world.socket().say(frame(++seq)));
        assert.equal(acks().length, paint);
        assert.deepEqual(acks().at(-1), ['BTCUSDT', painted]);
    }
    world.paint();
    assert.deepEqual(acks().at(-1), ['BTCUSDT', seq], 'the last one is not forgotten');
});

test('nothing is acknowledged that the server does not wait for: another connection, another subscription, none, a poll', async () => {
    const { world, client, acks } = acknowledging('BTCUSDT');
    world.socket().say(frame(1));
    client.subscribe(['BTCUSDT'], { channels: ['price'] });
    world.paint();
    assert.deepEqual(acks(), [['BTCUSDT', 1]], 'another channel changes nothing');
    world.socket().say(frame(2));
    client.subscribe(['BTCUSDT'], { ack: true, bin: 200 });
    world.paint();
    assert.equal(acks().length, 1, 'replaced');
    world.socket().say(frame(3, 3, { id: idOf(world) }));
    world.paint();
    assert.deepEqual(acks().at(-1), ['BTCUSDT', 3]);
    world.socket().say(frame(4, 4, { id: idOf(world) }));
    world.paint(() => client.unsubscribe(['BTCUSDT']));
    assert.equal(acks().length, 2, 'unsubscribed');

    const other = acknowledging('BTCUSDT');
    other.world.socket().say(frame(1));
    other.world.socket().end();
    await other.world.pass(2_000);
    other.world.socket().open();
    other.world.paint();
    assert.deepEqual(other.acks(), [], 'reconnected');
    other.world.answer = () => ({ status: 200, body: JSON.stringify(frame(2)) });
    other.client.useSocket(false);
    await other.world.pass(0);
    assert.equal(other.client.state('BTCUSDT')?.via, 'polling');
    other.client.useSocket(true);
    other.world.socket().open();
    other.world.paint();
    assert.deepEqual(other.acks(), [], 'polled');
});

test('an application that unsubscribes as it gets a state leaves no ack behind', () => {
    const world = new FakeWorld();
    const client: HeatmapWebSocket = new HeatmapWebSocket(URL_, { onSnapshot: () => client.unsubscribe(['BTCUSDT']) }, world);
    client.subscribe(['BTCUSDT'], { ack: true });
    client.connect();
    world.socket().open();
    world.socket().say(frame(1));
    world.paint();
    assert.deepEqual(world.socket().sent.at(-1), { action: 'unsubscribe', symbols: ['BTCUSDT'] });
});

test('the server calling the client slow, or the feed stale, shows in the status', async () => {
    const { world, client } = connected();
    world.socket().say({ type: 'warning', code: 'SLOW_CONSUMER', message: 'behind', dropped_messages: 3 });
    assert.equal(client.status.status, 'slow');
    for (let n = 0; n < 3; n++) {
        await world.pass(7_000);
        world.socket().say(frame(10 + n));
    }
    assert.equal(client.status.status, 'connected');
    world.socket().say({ type: 'status', symbol: 'BTCUSDT', state: 'stale', as_of: null, seq: 1 });
    assert.equal(client.status.reason, 'feed_stale');
    world.socket().say({ type: 'status', symbol: 'BTCUSDT', state: 'live', as_of: null, seq: 1 });
    assert.equal(client.status.status, 'connected');
});

test('nonsense from the server is reported and survived', () => {
    const { world, client, errors } = connected();
    for (const nonsense of [
        '',
        '{',
        '[]',
        'null',
        '{"type":"snapshot"}',
        '{"type":"new"}',
        '{"type":"delta","symbol":"BTCUSDT","data":{"levels":[]}}',
    ]) {
        world.socket().say(nonsense);
    }
    world.socket().onmessage?.({ data: new ArrayBuffer(3) });
    assert.equal(errors.length, 8);
    assert.ok(errors.every(({ code }) => code === 'BAD_FRAME'));
    assert.equal(client.status.status, 'connected');
});

test('disconnect and abort leave nothing behind, and connect works again after a disconnect', () => {
    const { world, client } = connected();
    client.disconnect();
    assert.equal(world.socket().closed, true);
    assert.equal(world.timers(), 0);
    assert.equal(world.watched(), false);
    client.connect();
    world.socket().open();
    assert.equal(world.socket().subscribes().length, 1);

    const stop = new AbortController();
    const other = connected({ signal: stop.signal });
    stop.abort();
    assert.equal(other.client.status.reason, 'aborted');
    assert.equal(other.world.timers(), 0);
    other.client.connect();
    assert.equal(other.world.sockets.length, 1);
});

test('an invalid URL fails with words', () => {
    const { client, errors } = setUp({}, 'bad address');
    client.connect();
    assert.equal(client.status.status, 'failed');
    assert.equal(errors[0]?.code, 'BAD_ADDRESS');
});

test('unsubscribing forgets the state and what still arrives of it', () => {
    const { world, client, snapshots } = connected();
    world.socket().say(frame(1));
    client.unsubscribe(['BTCUSDT']);
    world.socket().say(frame(2));
    assert.equal(client.state('BTCUSDT'), undefined);
    assert.equal(snapshots.length, 1);
});

test('channels add up, are left one by one, and alike options are asked for together after a reconnect', async () => {
    const { world, client } = connected();
    const first = world.socket();
    client.subscribe(['BTCUSDT', 'ETHUSDT'], { channels: ['price', 'walls'] });
    client.subscribe(['BTCUSDT'], { channels: ['liquidations'], minUsd: 5 });
    client.unsubscribe(['ETHUSDT'], ['walls']);
    assert.deepEqual(first.sent.at(-1), { action: 'unsubscribe', symbols: ['ETHUSDT'], channels: ['walls'] });
    first.end(1006);
    await world.pass(10_000);
    const second = world.socket();
    second.open();
    assert.deepEqual(second.subscribes(), [
        { action: 'subscribe', symbols: ['BTCUSDT'], channels: ['heatmap', 'price', 'walls'] },
        { action: 'subscribe', symbols: ['BTCUSDT'], channels: ['liquidations'], min_usd: 5 },
        { action: 'subscribe', symbols: ['ETHUSDT'], channels: ['price'] },
    ]);
    client.unsubscribe(['BTCUSDT'], ['heatmap']);
    second.say(frame(1));
    assert.equal(client.state('BTCUSDT'), undefined);
});

test('alerts come once each, in words, and go on after a reconnect where they were', async () => {
    const texts: string[] = [];
    const resets: (boolean | undefined)[] = [];
    const { world, client } = connected({
        onAlerts: ({ data, reset }) => {
            texts.push(...data.map(({ text }) => text));
            resets.push(reset);
        },
    });
    client.subscribe(['BTCUSDT'], { channels: ['alerts'], minUsd: 1_000_000 });
    assert.deepEqual(world.socket().subscribes().at(-1), {
        action: 'subscribe',
        symbols: ['BTCUSDT'],
        channels: ['alerts'],
        min_usd: 1_000_000,
    });
    const alerts = (seq: number, words: string[], more: object = {}): void =>
        world.socket().say({
            type: 'alerts',
            symbol: 'BTCUSDT',
            timestamp: 't',
            epoch: 'a',
            seq,
            data: words.map((text) => ({ text })),
            ...more,
        });
    alerts(3, []);
    alerts(5, ['near a wall', 'cascade']);
    alerts(5, ['near a wall', 'cascade']);
    world.socket().end();
    await world.pass(2_000);
    world.socket().open();
    assert.deepEqual(world.socket().subscribes().at(-1)?.resume, { 'alerts:BTCUSDT': { epoch: 'a', seq: 5 } });
    alerts(6, ['wall swept']);
    alerts(1, ['after a restart'], { epoch: 'b', reset: true });
    client.unsubscribe(['BTCUSDT'], ['alerts']);
    alerts(2, ['nobody listens'], { epoch: 'b' });
    assert.deepEqual(texts, ['near a wall', 'cascade', 'wall swept', 'after a restart']);
    assert.deepEqual(resets, [undefined, undefined, undefined, true]);
});

test('states of the expected view say so, whatever form they came in', () => {
    const { world, client, snapshots } = connected();
    client.subscribe(['BTCUSDT'], { view: 'expected', horizon: '4h' });
    const id = idOf(world);
    world.socket().say(frame(1, 1, { id }));
    world.socket().say(frame(2, 2, { id, expected_within: '4h' }));
    client.subscribe(['BTCUSDT'], { view: 'open' });
    world.socket().say(frame(3, 3, { id: idOf(world) }));
    assert.deepEqual(
        snapshots.map(({ seq, expected_within }) => [seq, expected_within]),
        [
            [1, '4h'],
            [2, '4h'],
            [3, undefined],
        ],
    );
});

test('what is late of a subscription that was replaced is dropped, and the id is given back', () => {
    const snapshots: SnapshotFrame[] = [];
    const rows: number[] = [];
    const { world, client } = connected({
        onSnapshot: (message) => snapshots.push(message),
        onLiquidations: (message) => rows.push(...message.data.map((each) => each.usd)),
    });
    const socket = world.socket();
    client.subscribe(['BTCUSDT'], { bin: 200, id: 'tall' });
    const { id } = socket.subscribes().at(-1) ?? {};
    // Of the view before, and just as whole.
    socket.say(frame(7));
    assert.equal(client.state('BTCUSDT'), undefined);
    socket.say({ ...frame(7), id });
    assert.deepEqual(
        snapshots.map((each) => each.id),
        ['tall'],
    );
    client.subscribe(['BTCUSDT'], { channels: ['liquidations'], id: 'log' });
    const liquidations = (seq: number, of: unknown, ...usd: number[]) =>
        socket.say({
            type: 'liquidations',
            symbol: 'BTCUSDT',
            timestamp: 't',
            epoch: 'c',
            seq,
            id: of,
            data: usd.map((each) => ({ usd: each })),
        });
    liquidations(1, 'log', 1);
    client.subscribe(['BTCUSDT'], { channels: ['liquidations'], id: 'log', minUsd: 2 });
    const again = socket.subscribes().at(-1) ?? {};
    assert.notEqual(again.id, 'log');
    assert.deepEqual(again.resume, { 'liquidations:BTCUSDT': { epoch: 'c', seq: 1 } });
    liquidations(3, 'log', 2, 3);
    liquidations(3, again.id, 2, 3);
    liquidations(3, again.id, 2, 3);
    assert.deepEqual(rows, [1, 2, 3], 'each once');
});

test('those who prefer events get events', () => {
    const { world, client } = connected();
    const seen: unknown[] = [];
    client.addEventListener('snapshot', (event) => seen.push((event as CustomEvent<SnapshotFrame>).detail.seq));
    world.socket().say(frame(5));
    assert.deepEqual(seen, [5]);
});

test('both forms are offered, and a binary state is a state like any other', () => {
    const { world, snapshots, errors } = connected();
    assert.deepEqual(world.socket().protocols, ['liqheat.v1.bin', 'liqheat.v1.json']);
    assert.equal(world.socket().binaryType, 'arraybuffer');
    const golden = JSON.parse(readFileSync(new URL('../../../../crates/wire/golden/binary.json', import.meta.url), 'utf8')) as {
        cases: { name: string; hex: string; message: SnapshotFrame }[];
    };
    const whole = golden.cases.find(({ name }) => name === 'both sides');
    assert.ok(whole);
    world.socket().sayBytes(Uint8Array.from(whole.hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
    assert.deepEqual(snapshots, [whole.message]);
    world.socket().sayBytes(Uint8Array.of(1, 2, 3));
    assert.deepEqual(
        errors.map(({ code }) => code),
        ['BAD_FRAME'],
    );
});

test('a token travels as a subprotocol and is asked for again with every attempt', async () => {
    let asked = 0;
    const { world, client, statuses } = setUp({ token: () => Promise.resolve(`t${++asked}`) });
    client.connect();
    await world.pass(0);
    assert.deepEqual(world.socket().protocols, ['liqheat.v1.bin', 'liqheat.v1.json', 'bearer.t1']);
    world.socket().end();
    await world.pass(2_000);
    await world.pass(0);
    assert.equal(world.socket().protocols.at(-1), 'bearer.t2');
    client.disconnect();
    assert.equal(statuses.at(-1), 'disconnected');
});

test('an empty token is none', async () => {
    const { world, client } = setUp({ token: () => '' });
    client.connect();
    await Promise.resolve();
    await Promise.resolve();
    assert.ok(world.socket().protocols.every((protocol) => !protocol.startsWith('bearer')));
});

test('a token that comes after the application left opens nothing', async () => {
    let give: (token: string) => void = () => {};
    const { world, client } = setUp({
        token: () =>
            new Promise((resolve) => {
                give = resolve;
            }),
    });
    client.connect();
    client.disconnect();
    give('late');
    await world.pass(0);
    assert.equal(world.sockets.length, 0);
});

test('a token that cannot be had is tried again later', async () => {
    let fails = true;
    const { world, client, statuses } = setUp({ token: () => (fails ? Promise.reject(new Error('signed out')) : 'good') });
    client.connect();
    await world.pass(0);
    assert.deepEqual([statuses.at(-1), client.status.reason, client.status.message], ['disconnected', 'no_token', 'no token: signed out']);
    fails = false;
    await world.pass(2_000);
    await world.pass(0);
    assert.equal(world.socket().protocols.at(-1), 'bearer.good');
});

const pings = (socket: FakeSocket): number => socket.sent.filter(({ action }) => action === 'ping').length;

test('keepalive can be stopped and started; silence is noticed all the same', async () => {
    const { world, client, statuses } = connected();
    client.stopKeepalive();
    for (let second = 0; second < 90; second += 15) {
        await world.pass(15_000);
        world.socket().say({ type: 'status', symbol: 'BTCUSDT', state: 'live', as_of: null, seq: 1 });
    }
    assert.equal(pings(world.socket()), 1, 'only the one at the opening');
    client.startKeepalive();
    await world.pass(31_000);
    assert.equal(pings(world.socket()), 2);
    client.stopKeepalive();
    await world.pass(50_000);
    assert.ok(statuses.includes('stale'));
});

test('a message of your own goes out while the socket is open, as text or as an object', () => {
    const { world, client } = setUp();
    assert.equal(client.send({ action: 'ping' }), false);
    client.connect();
    assert.equal(client.send('{"action":"ping"}'), false, 'not open yet');
    world.socket().open();
    assert.equal(client.send('{"action":"a"}'), true);
    assert.equal(client.send({ action: 'b' }), true);
    assert.deepEqual(
        world
            .socket()
            .sent.map(({ action }) => action)
            .slice(-2),
        ['a', 'b'],
    );
});

test('a limit of attempts ends in failed, and connect begins again', async () => {
    const { world, client, statuses } = setUp({ maxReconnectAttempts: 2, reconnectDelay: 100, pollUrl: false });
    client.connect();
    const waits: number[] = [];
    while (client.status.status !== 'failed') {
        world.socket().end();
        if (client.status.retryAt === null) break;
        waits.push(client.status.retryAt - world.now());
        await world.pass(client.status.retryAt - world.now());
    }
    assert.deepEqual(waits, [100, 200], 'the pauses grow from reconnectDelay');
    assert.equal(world.sockets.length, 3, 'the first attempt and two more');
    assert.equal(client.status.reason, 'gave_up');
    assert.equal(statuses.at(-1), 'failed');
    client.connect();
    assert.equal(world.sockets.length, 4);
});

test('an error of the socket reaches onError, and the close after it decides what comes next', () => {
    const { world, client, errors } = setUp();
    client.connect();
    world.socket().onerror?.({} as never);
    assert.equal(errors[0]?.code, 'SOCKET_ERROR');
    assert.equal(client.status.status, 'connecting');
    world.socket().end();
    assert.equal(client.status.status, 'disconnected');
});

test('polling asks for the same part of the state as the socket, also when that changes', async () => {
    const { world, client } = setUp();
    world.answer = () => ({ status: 200, body: JSON.stringify(frame(1)) });
    client.subscribe(['BTCUSDT'], { bin: 200, priceRange: [90_000, 100_000] });
    client.useSocket(false);
    client.connect();
    await world.pass(0);
    assert.equal(client.status.status, 'polling');
    const asked = (): Record<string, string> => Object.fromEntries(world.requests.at(-1)?.url.searchParams ?? []);
    assert.deepEqual(asked(), { symbol: 'BTCUSDT', bin: '200', price_low: '90000', price_high: '100000' });
    client.subscribe(['BTCUSDT'], { priceRange: [95_000, 99_000] });
    await world.pass(0);
    assert.deepEqual(asked(), { symbol: 'BTCUSDT', price_low: '95000', price_high: '99000' });
    client.subscribe(['BTCUSDT']);
    await world.pass(0);
    assert.deepEqual(Object.keys(asked()), ['symbol']);
});

test('where sockets are switched off none is tried, and one is as soon as they are on', async () => {
    const { world, client, statuses, snapshots } = setUp();
    world.answer = () => ({ status: 200, body: JSON.stringify(frame(1)) });
    client.subscribe(['BTCUSDT']);
    client.useSocket(false);
    client.connect();
    await world.pass(60_000);
    assert.deepEqual([world.sockets.length, snapshots.length, client.status.status], [0, 1, 'polling']);
    client.useSocket(true);
    world.socket().open();
    assert.equal(client.status.status, 'connected');
    const polls = world.requests.length;
    await world.pass(20_000);
    assert.equal(world.requests.length, polls);
    client.useSocket(false);
    assert.equal(world.socket().closed, true);
    await world.pass(0);
    assert.deepEqual(statuses.slice(-2), ['disconnected', 'polling']);
    assert.ok(world.requests.length > polls);
});

test('channels are handed on, and resumed after a reconnect', async () => {
    const prices: number[] = [];
    const liquidations: number[] = [];
    const log = setUp({
        onPrice: (message) => prices.push(message.data.last ?? 0),
        onLiquidations: (message) => liquidations.push(...message.data.map((each) => each.usd)),
    });
    log.client.subscribe(['BTCUSDT'], { channels: ['heatmap', 'price', 'liquidations'], minUsd: 50_000 });
    log.client.connect();
    const first = log.world.socket();
    first.open();
    const subscribe = { action: 'subscribe', symbols: ['BTCUSDT'], channels: ['heatmap', 'price', 'liquidations'], min_usd: 50_000 };
    assert.deepEqual(first.sent[0], subscribe);
    const message = (type: string, seq: number, data: unknown, symbol = 'BTCUSDT') =>
        first.say({ type, symbol, timestamp: 't', epoch: 'c.1', seq, data });
    message('price', 7, { venue: 'okx', last: 98_450 });
    message('price', 8, { venue: 'okx', last: 1 }, 'ETHUSDT');
    message('liquidations', 31, [{ usd: 60_000 }, { usd: 70_000 }]);
    assert.deepEqual([prices, liquidations], [[98_450], [60_000, 70_000]]);
    assert.equal(log.client.renewToken('a.b.c'), true);
    assert.deepEqual(first.sent.at(-1), { action: 'token', token: 'a.b.c' });
    first.end(1006);
    await log.world.pass(10_000);
    const second = log.world.socket();
    second.open();
    assert.deepEqual(second.sent[0], {
        ...subscribe,
        resume: { 'price:BTCUSDT': { epoch: 'c.1', seq: 7 }, 'liquidations:BTCUSDT': { epoch: 'c.1', seq: 31 } },
    });
    assert.deepEqual(log.errors, []);
});
