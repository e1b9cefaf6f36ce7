/**
 * Other people's WebSocket clients against the built program at LIQHEAT_BIN: the package `ws` in every negotiation, and
 * Chromium. Each follows several updates and checks every state against its hash.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { type ClientOptions, WebSocket } from 'ws';
import { Board, type Outcome } from '../../client/src/model/board.ts';
import { parseBinary } from '../../client/src/wire/binary.ts';
import { type Frame, parseFrame } from '../../client/src/wire/frames.ts';
import { launch, open, shown } from './browser.ts';

const BINARY = process.env.LIQHEAT_BIN ?? '';
const UPDATES = 4;

let program: ChildProcess;
let host = '';

before(async () => {
    if (BINARY === '') return;
    const env = { ...process.env, WS_UPDATE_INTERVAL: '0.5' };
    program = spawn(BINARY, ['demo', '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', 'ignore'], env });
    assert.ok(program.stdout);
    // The first line is the address.
    const [line] = (await once(createInterface(program.stdout), 'line')) as [string];
    host = new URL(line.replace('liqheat: ', '')).host;
});

after(async () => {
    if (BINARY === '') return;
    const gone = once(program, 'exit');
    program.kill('SIGTERM');
    const [code] = (await gone) as [number];
    assert.equal(code, 0, 'the program stops in order');
});

interface Negotiated {
    protocol: string;
    extensions: string;
    compressed: boolean;
    binary: boolean;
    kinds: Set<string>;
}

function apply(board: Board, frame: Frame): Outcome | null {
    if (frame.type === 'snapshot') return board.applySnapshot(frame);
    return frame.type === 'delta' ? board.applyDelta(frame) : null;
}

async function follow(protocols: string[], options: ClientOptions, mode: 'snapshot' | 'delta'): Promise<Negotiated> {
    const socket = new WebSocket(`ws://${host}/ws/heatmap`, protocols, options);
    await once(socket, 'open');
    const board = new Board('BTCUSDT');
    const seen: Negotiated = {
        protocol: socket.protocol,
        extensions: socket.extensions,
        compressed: false,
        binary: false,
        kinds: new Set(),
    };
    const done = new Promise<void>((resolve, reject) => {
        let states = 0;
        socket.on('error', reject);
        socket.on('close', (code) => reject(new Error(`closed with ${code}`)));
        socket.on('message', (data: Buffer, isBinary) => {
            const frame = isBinary ? parseBinary(data) : parseFrame(String(data));
            seen.binary ||= isBinary;
            const outcome = apply(board, frame);
            if (outcome === null) return;
            seen.kinds.add(frame.type);
            if (outcome.kind !== 'applied') reject(new Error(JSON.stringify(outcome)));
            states += 1;
            if (states === UPDATES) resolve();
        });
    });
    const subscribe = { action: 'subscribe', symbols: ['BTCUSDT'], mode, update_interval: mode === 'delta' ? 0.5 : 1 };
    // Long enough to be compressed by a client that may.
    socket.send(JSON.stringify({ ...subscribe, padding: 'x'.repeat(2_000) }));
    await done;
    const closed = once(socket, 'close');
    socket.close(1000);
    const [code] = (await closed) as [number];
    assert.equal(code, 1000);
    return seen;
}

test('the package ws, in every negotiation', { skip: BINARY === '' }, async () => {
    const deflates: ClientOptions['perMessageDeflate'][] = [
        false,
        true,
        { threshold: 0 },
        { clientNoContextTakeover: true, serverNoContextTakeover: true, threshold: 0 },
        { clientMaxWindowBits: 10, threshold: 0 },
    ];
    const offers: [string[], string][] = [
        [[], ''],
        [['liqheat.v1.json'], 'liqheat.v1.json'],
        [['liqheat.v1.json', 'liqheat.v1.bin'], 'liqheat.v1.bin'],
    ];
    for (const perMessageDeflate of deflates) {
        const runs = offers.flatMap(([protocols, agreed]) =>
            (['snapshot', 'delta'] as const).map(async (mode) => {
                const seen = await follow(protocols, { perMessageDeflate }, mode);
                const what = JSON.stringify([perMessageDeflate, protocols, mode]);
                assert.equal(seen.protocol, agreed, what);
                assert.equal(seen.extensions.includes('permessage-deflate'), perMessageDeflate !== false, what);
                assert.equal(seen.binary, agreed === 'liqheat.v1.bin', what);
                assert.ok(seen.kinds.has('snapshot'), what);
                if (mode === 'snapshot') assert.equal(seen.kinds.has('delta'), false, what);
            }),
        );
        await Promise.all(runs);
    }
});

test('Chromium agrees on the binary form and on compression', { skip: BINARY === '' }, async () => {
    const browser = await launch();
    const { page } = await open(browser, `http://${host}/`);
    await shown(page);
    const stats = (await (await fetch(`http://${host}/ws/stats`)).json()) as Record<string, unknown>;
    assert.deepEqual(stats.connections_by_encoding, { 'binary+deflate': 1 });
    assert.equal(stats.hash_mismatches, 0);
    await browser.close();
});
