/** Runs the examples of the client's README, as they stand, against the stand-in server and the built package. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { transformWithOxc } from 'vite';
import { StandInServer } from './stand-in-server.ts';

const WEB = new URL('../../..', import.meta.url).pathname;
const README = readFileSync(join(WEB, 'client/README.md'), 'utf8');
const EXAMPLES = [...README.matchAll(/^```(\w+) example\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language: language ?? '',
    code: code ?? '',
}));

let server: StandInServer;
let address: string;
let folder: string;

before(async () => {
    server = new StandInServer({ dist: join(WEB, 'dashboard/dist'), everyMs: 100, examples: true });
    address = (await server.start()).replace('http', 'ws');
    folder = mkdtempSync(join(WEB, '.build/readme-'));
    symlinkSync(join(WEB, 'node_modules'), join(folder, 'node_modules'));
});

after(async () => {
    rmSync(folder, { recursive: true });
    await server.stop();
});

/** Only the address is another one, and the client is handed out so that the test can end it. */
async function load(name: string, language: string, code: string, handOut: string): Promise<Record<string, unknown>> {
    const here =
        code.replaceAll('ws://localhost:8000', address).replaceAll('http://localhost:8000', address.replace('ws', 'http')) + handOut;
    const plain = await transformWithOxc(here, `example.${language}`, { lang: language as 'js' });
    const path = join(folder, `${name}.mjs`);
    writeFileSync(path, plain.code);
    return (await import(pathToFileURL(path).href)) as Record<string, unknown>;
}

interface Client {
    disconnect(): void;
    state(symbol: string): { snapshot: { hash: string } } | undefined;
}

function exampleIn(language: string, place = 0): { language: string; code: string } {
    const example = EXAMPLES.filter((each) => each.language === language)[place];
    assert.ok(example);
    return example;
}

test('the README has examples in JavaScript, HTML, TypeScript and React, and no other code', () => {
    // The one in HTML needs a page: it runs with the others once more in the tests of the page.
    assert.deepEqual(
        EXAMPLES.map(({ language }) => language),
        ['js', 'js', 'html', 'js', 'js', 'js', 'ts', 'jsx'],
    );
    assert.equal([...README.matchAll(/^```\w/gm)].length, EXAMPLES.length);
});

test('the first example shows a chart and a status', async () => {
    const example = exampleIn('js');
    const statuses: string[] = [];
    let ws: Client | null = null;
    const data = await new Promise<{ levels: unknown[] }>((resolve) => {
        Object.assign(globalThis, { updateChart: resolve, showStatus: (status: string) => statuses.push(status) });
        void load('first', 'js', example.code, '\nexport { ws };').then((module) => {
            ws = module.ws as Client;
        });
    });
    assert.ok(data.levels.length > 50);
    assert.deepEqual(statuses, ['connecting', 'connected']);
    (ws as Client | null)?.disconnect();
});

test('the three lines of older programs get states', async () => {
    let ws: Client | null = null;
    const data = await new Promise<{ levels: unknown[] }>((resolve) => {
        Object.assign(globalThis, { updateChart: resolve });
        void load('three-lines', 'js', exampleIn('js', 1).code, '\nexport { ws };').then((module) => {
            ws = module.ws as Client;
        });
    });
    assert.ok(data.levels.length > 50);
    (ws as Client | null)?.disconnect();
});

test('the example with a token and events asks for the token, and gets states', async () => {
    const statuses: string[] = [];
    let ws: Client | null = null;
    const data = await new Promise<{ levels: unknown[] }>((resolve) => {
        Object.assign(globalThis, { updateChart: resolve, showStatus: (status: string) => statuses.push(status) });
        void load('token', 'js', exampleIn('js', 2).code, '\nexport { ws };').then((module) => {
            ws = module.ws as Client;
        });
    });
    assert.ok(data.levels.length > 50);
    assert.deepEqual(statuses, ['connecting', 'connected']);
    assert.match(server.protocols().at(-1) ?? '', /^liqheat\.v1\.bin,\s?liqheat\.v1\.json,\s?bearer\.eyJ0\.eyJ1\.c2ln$/);
    (ws as Client | null)?.disconnect();
});

test('the example of channels hears the price and liquidations', async () => {
    let ws: Client | null = null;
    const liquidations: { usd: number }[] = [];
    const price = await new Promise<number>((resolve) => {
        const addMarker = (each: { usd: number }) => liquidations.push(each);
        Object.assign(globalThis, { showPrice: resolve, addMarker });
        void load('channels', 'js', exampleIn('js', 3).code, '\nexport { ws };').then((module) => {
            ws = module.ws as Client;
        });
    });
    assert.equal(price, 98_450);
    while (liquidations.length === 0) await nextTurn();
    assert.equal(liquidations[0]?.usd, 73_801);
    (ws as Client | null)?.disconnect();
});

test('the example of alerts hears one, in words', async () => {
    let ws: Client | null = null;
    const [text, kind] = await new Promise<[text: string, kind: string]>((resolve) => {
        Object.assign(globalThis, { notify: (...words: [string, string]) => resolve(words) });
        void load('alerts', 'js', exampleIn('js', 4).code, '\nexport { ws };').then((module) => {
            ws = module.ws as Client;
        });
    });
    assert.equal(kind, 'near_wall');
    assert.match(text, /^BTCUSDT: price is 0\.25 % from a long wall of \$1\.50M/);
    (ws as Client | null)?.disconnect();
});

test('the TypeScript example says the heaviest level of both symbols, by differences', async (context) => {
    const example = exampleIn('ts');
    const said: unknown[][] = [];
    let enough = (): void => {};
    const done = new Promise<void>((resolve) => {
        enough = resolve;
    });
    context.mock.method(console, 'log', (...words: unknown[]) => {
        said.push(words);
        if (said.length > 12) enough();
    });
    const { stop, ws } = await load('typescript', 'ts', example.code, '\nexport { stop, ws };');
    await done;
    assert.ok(said.some(([symbol, price]) => symbol === 'BTCUSDT' && typeof price === 'number'));
    assert.ok(said.some(([symbol]) => symbol === 'ETHUSDT'));
    assert.equal((ws as Client).state('BTCUSDT')?.snapshot.hash.length, 16);
    (stop as AbortController).abort();
    assert.deepEqual(said.at(-1), ['disconnected', 'the signal was aborted']);
});

test('the React example keeps a component supplied', async () => {
    const example = exampleIn('jsx');
    // React itself in the smallest form that the hook can tell apart: effects run once, state is set from outside.
    const react = join(folder, 'react.mjs');
    writeFileSync(
        react,
        `
        export const seen = [];
        let cleanUp;
        export const useState = (first) => [first, (value) => seen.push(value)];
        export const useEffect = (effect) => { cleanUp = effect(); };
        export const unmount = () => cleanUp();
    `,
    );
    const { useHeatmap } = await load('react-example', 'jsx', example.code.replace("'react'", `'${pathToFileURL(react).href}'`), '');
    const fake = (await import(pathToFileURL(react).href)) as { seen: unknown[]; unmount(): void };
    (useHeatmap as (url: string, symbol: string) => unknown)(`${address}/ws/heatmap`, 'BTCUSDT');
    while (!fake.seen.some((value) => typeof value === 'object')) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(fake.seen.slice(0, 2), ['connecting', 'connected']);
    fake.unmount();
    assert.equal(fake.seen.at(-1), 'disconnected');
    assert.ok(
        createRequire(import.meta.url)
            .resolve('liqheat-client')
            .endsWith('liqheat-client.node.js'),
    );
});
