/**
 * `EventSource` of Chromium at `/v1/stream` of the built program at LIQHEAT_BIN, over restarts of the server: it comes back by
 * itself with the last id, and events go on after it, none missing and none twice.
 */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { launch, open } from './browser.ts';
import { end, freePort, start } from './programs.ts';

const BINARY = process.env.LIQHEAT_BIN ?? '';
const REDIS = (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, 'redis-server'))
    .find((path) => existsSync(path));
const QUERY = 'symbols=BTCUSDT&channels=heatmap,liquidations&mode=delta';
const LIMIT = { timeout: 60_000 };

interface Seen {
    name: string;
    /** The last id that the browser knows. */
    id: string;
    data: { epoch: string; seq: number; from?: number; data: unknown[]; missed?: number; reset?: boolean };
}

declare global {
    interface Window {
        seen: Seen[];
    }
}

let browser: Browser;
let running: ChildProcess[] = [];

before(async () => {
    browser = await launch();
});

after(() => browser.close());

afterEach(async () => {
    for (const each of running.reverse()) await end(each);
    running = [];
});

async function serve(words: string, port: number, settings: Record<string, string> = {}): Promise<ChildProcess> {
    const state = `http://127.0.0.1:${port}/v1/heatmap?symbol=BTCUSDT`;
    const own = { WS_UPDATE_INTERVAL: '0.25', WS_DRAIN_WINDOW: '0.5', LIQHEAT_LOG: 'error', ...settings };
    const arguments_ = [...words.split(' '), '--listen', `127.0.0.1:${port}`];
    const server = await start(BINARY, arguments_, own, async () => (await fetch(state)).status === 200);
    running.push(server);
    return server;
}

/** A page of the server that listens to a stream and keeps what it hears. */
async function listen(port: number): Promise<Page> {
    const { page } = await open(browser, `http://127.0.0.1:${port}/`);
    await page.evaluate((query) => {
        window.seen = [];
        const stream = new EventSource(`/v1/stream?${query}`);
        for (const name of ['snapshot', 'delta', 'liquidations', 'goaway', 'close']) {
            stream.addEventListener(name, (event: MessageEvent<string>) => {
                window.seen.push({ name, id: event.lastEventId, data: JSON.parse(event.data) as Seen['data'] });
            });
        }
    }, QUERY);
    return page;
}

/** Waits for this number of further states and messages of liquidations. */
async function more(page: Page, states: number, liquidations: number): Promise<void> {
    await page.evaluate(
        ([states, liquidations]) => {
            const count = (...names: string[]): number => window.seen.filter((each) => names.includes(each.name)).length;
            Object.assign(window, { wanted: [count('snapshot', 'delta') + states, count('liquidations') + liquidations] });
        },
        [states, liquidations] as const,
    );
    await page.waitForFunction(
        () => {
            const { seen, wanted } = window as unknown as { seen: Seen[]; wanted: [number, number] };
            const count = (...names: string[]): number => seen.filter((each) => names.includes(each.name)).length;
            return count('snapshot', 'delta') >= wanted[0] && count('liquidations') >= wanted[1];
        },
        null,
        LIMIT,
    );
}

/**
 * Every state follows from the one before it or is whole and newer, and every liquidation is there once. Gives the number of
 * epochs of the states.
 */
function check(seen: Seen[]): number {
    const pairs = (...names: string[]): (readonly [Seen, Seen])[] => {
        const some = seen.filter(({ name }) => names.includes(name));
        return some.slice(1).map((next, at) => [some[at] ?? next, next] as const);
    };
    for (const [before, next] of pairs('snapshot', 'delta')) {
        const isNewRun = next.data.epoch !== before.data.epoch;
        // The difference from a state of long ago would be as large as a whole one.
        if (next.name === 'snapshot') assert.ok(isNewRun || next.data.seq > before.data.seq, 'a whole state is newer');
        else assert.deepEqual([isNewRun, next.data.from], [false, before.data.seq], 'no state is missing or comes twice');
    }
    for (const [before, next] of pairs('liquidations')) {
        const { epoch, seq, data, missed, reset = false } = next.data;
        assert.equal(missed, undefined);
        assert.equal(reset, epoch !== before.data.epoch, 'another run says so');
        if (!reset) assert.equal(seq, before.data.seq + data.length, 'no row is missing or comes twice');
    }
    return new Set(seen.filter(({ name }) => name === 'snapshot' || name === 'delta').map(({ data }) => data.epoch)).size;
}

test('a server that is killed and started again: events go on in another run', { skip: BINARY === '' }, async () => {
    const port = await freePort();
    const server = await serve('demo --days 1 --speed 600', port);
    const page = await listen(port);
    await more(page, 3, 3);
    await end(server);
    await serve('demo --days 1 --speed 600', port);
    await more(page, 3, 3);
    const seen = await page.evaluate(() => window.seen);
    assert.equal(check(seen), 2);
    await page.context().close();
});

test('a server of several, killed and then restarted in order: events go on after the last id', {
    skip: BINARY === '' ? true : REDIS === undefined ? 'no redis-server: scripts/setup-services.sh' : false,
}, async () => {
    const [store, makerPort, edgePort] = [await freePort(), await freePort(), await freePort()];
    const redis = ['--port', String(store), '--bind', '127.0.0.1', '--appendonly', 'no', '--save', ''];
    const answers = (): Promise<boolean> =>
        new Promise((resolve) => {
            const socket = connect(store, '127.0.0.1', () => socket.end(() => resolve(true))).on('error', () => resolve(false));
        });
    running.push(await start(REDIS ?? '', redis, {}, answers));
    const shared = { REDIS_ENABLED: 'true', REDIS_URL: `redis://127.0.0.1:${store}` };
    await serve('demo --days 1 --speed 600', makerPort, shared);
    let edge = await serve('serve --role edge', edgePort, shared);
    const page = await listen(edgePort);
    await more(page, 3, 3);
    await end(edge);
    edge = await serve('serve --role edge', edgePort, shared);
    await more(page, 3, 3);
    await end(edge, 'SIGTERM');
    await page.waitForFunction(() => window.seen.some(({ name }) => name === 'close'), null, LIMIT);
    await serve('serve --role edge', edgePort, shared);
    await more(page, 3, 3);
    const seen = await page.evaluate(() => window.seen);
    assert.equal(check(seen), 1, 'the whole state at the beginning');
    assert.equal(seen.filter(({ name }) => name === 'goaway').length, 1);
    const last = seen.at(-1);
    assert.ok(last?.id.includes(last.data.epoch), 'the id is the position after the event');
    await page.context().close();
});
