/** The text messages of the protocol, from files that the server's tests also read and write. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { ackMessage, parseFrame, pingMessage, resumeKey, subscribeMessage, tokenMessage, unsubscribeMessage } from '../src/wire/frames.ts';

const golden = JSON.parse(readFileSync(new URL('../../../../crates/wire/golden/messages.json', import.meta.url), 'utf8')) as {
    server: string[];
    client: Record<string, string>;
};

test('every message the server writes is read, field by field', () => {
    const kinds = new Set<string>();
    for (const text of golden.server) {
        const frame = parseFrame(text);
        const fields = JSON.parse(text) as Record<string, unknown>;
        // Before the first state a status has no time.
        assert.deepEqual(frame, frame.type === 'status' ? { as_of: null, ...fields } : fields, text);
        kinds.add(frame.type);
    }
    assert.deepEqual([...kinds].sort(), ['delta', 'error', 'goaway', 'pong', 'snapshot', 'status', 'warning']);
});

test('messages of channels are read as they are, and malformed ones are unknown', () => {
    const file = readFileSync(new URL('../../../../crates/wire/golden/channels.json', import.meta.url), 'utf8');
    const { server } = JSON.parse(file) as { server: string[] };
    const kinds = server.map((text) => {
        const frame = parseFrame(text);
        if (frame.type !== 'unknown') assert.deepEqual(frame, JSON.parse(text));
        return frame.type;
    });
    // Only event streams have the last one.
    assert.deepEqual(kinds, ['price', 'liquidations', 'walls', 'alerts', 'unknown']);
    for (const text of [
        '{"type":"price","symbol":"X","epoch":"e","seq":1}',
        '{"type":"liquidations","symbol":"X","epoch":"e","seq":1,"data":{}}',
        '{"type":"walls","symbol":"X","seq":1,"data":{}}',
        '{"type":"alerts","symbol":"X","epoch":"e","seq":1,"data":{}}',
    ]) {
        assert.equal(parseFrame(text).type, 'unknown', text);
    }
});

test('states of the expected view name their horizon', () => {
    const file = readFileSync(new URL('../../../../crates/wire/golden/views.json', import.meta.url), 'utf8');
    const views = JSON.parse(file) as typeof golden;
    assert.equal(views.server.length, 2);
    for (const text of views.server) assert.deepEqual(parseFrame(text), JSON.parse(text));
    const written = subscribeMessage(['BTCUSDT'], { mode: 'delta', view: 'expected', horizon: '4h' }, new Map(), new Map());
    assert.equal(written, views.client['subscribe']);
});

test('every message of this client is written as the server reads it', () => {
    const epoch = '19b657f1c40-1';
    const written: Record<string, string> = {
        subscribe: subscribeMessage(['BTCUSDT', 'ETHUSDT'], {}, new Map(), new Map()),
        'subscribe with everything': subscribeMessage(
            ['BTCUSDT'],
            { id: 'left pane', updateInterval: 0.5, mode: 'delta', priceRange: [90_000, 99_999.5], bin: 200, ack: true },
            new Map([['BTCUSDT', { epoch, seq: 123 }]]),
            new Map([['BTCUSDT', { epoch, seq: 124, hash: '2b227eb42990abf1' }]]),
        ),
        unsubscribe: unsubscribeMessage(['ETHUSDT']),
        ping: pingMessage(),
        ack: ackMessage('BTCUSDT', 124),
    };
    assert.deepEqual(written, golden.client);
});

test('every message about channels and tokens is written as the server reads it', () => {
    const file = readFileSync(new URL('../../../../crates/wire/golden/channels.json', import.meta.url), 'utf8');
    const { client } = JSON.parse(file) as { client: Record<string, string> };
    const resume = new Map([[resumeKey('BTCUSDT', 'liquidations'), { epoch: '1c6b2f0a.1', seq: 31 }]]);
    const options = { channels: ['heatmap', 'price', 'liquidations', 'walls'] as const, minUsd: 50_000 };
    assert.deepEqual(
        {
            subscribe: subscribeMessage(['BTCUSDT'], options, resume, new Map()),
            unsubscribe: unsubscribeMessage(['BTCUSDT'], ['price']),
            token: tokenMessage('a.b.c'),
        },
        client,
    );
});

test('fields of a newer server are ignored, and its messages are unknown', () => {
    const [first] = golden.server;
    assert.ok(first !== undefined);
    const frame = parseFrame(first);
    const more = parseFrame(JSON.stringify({ ...(JSON.parse(first) as object), later: [1], data2: {} }));
    assert.deepEqual(more, frame);
    assert.equal(parseFrame('{"type":"dance"}').type, 'unknown');
});
