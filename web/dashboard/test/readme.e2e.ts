/** The examples of the client's README in a page: bundled as a user would, in Chromium, with the real React. */
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import type { Browser, Page } from 'playwright-core';
import { build } from 'vite';
import { launch, open } from './browser.ts';
import { StandInServer } from './stand-in-server.ts';

const WEB = new URL('../../..', import.meta.url).pathname;
const README = readFileSync(join(WEB, 'client/README.md'), 'utf8');
const EXAMPLES = [...README.matchAll(/^```(\w+) example\n([\s\S]*?)^```$/gm)].map(([, language, code]) => ({
    language: language ?? '',
    code: code ?? '',
}));

let browser: Browser;
let server: StandInServer;
let url: string;
let folder: string;

before(async () => {
    folder = mkdtempSync(join(WEB, '.build/readme-page-'));
    symlinkSync(join(WEB, 'node_modules'), join(folder, 'node_modules'));
    copyFileSync(join(WEB, 'client/dist/liqheat-client.script.js'), join(folder, 'liqheat-client.script.js'));
    writeFileSync(join(folder, 'index.html'), '<!doctype html><title>An example</title><div id="root"></div>');
    // Browsers ask for one.
    writeFileSync(join(folder, 'favicon.ico'), '');
    server = new StandInServer({ dist: folder, everyMs: 100 });
    url = await server.start();
    browser = await launch();
});

after(async () => {
    await browser.close();
    await server.stop();
    rmSync(folder, { recursive: true });
});

/** Only the address is another one. */
function here(code: string): string {
    return code.replaceAll('ws://localhost:8000', url.replace('http', 'ws')).replaceAll('http://localhost:8000', url);
}

async function bundled(name: string, code: string): Promise<string> {
    const input = join(folder, name);
    writeFileSync(input, code);
    const made = await build({
        configFile: false,
        root: folder,
        logLevel: 'error',
        build: { write: false, minify: false, lib: { entry: input, formats: ['es'], fileName: 'out' } },
        define: { 'process.env.NODE_ENV': '"production"' },
    });
    const outputs = Array.isArray(made) ? made : [made];
    const chunk = outputs.flatMap((each) => ('output' in each ? each.output : []))[0];
    assert.ok(chunk?.type === 'chunk');
    return chunk.code;
}

async function run(code: string): Promise<{ page: Page; complaints: string[] }> {
    const { page, complaints } = await open(browser, url, { bypassCSP: true });
    await page.evaluate(() => {
        const seen = { charts: [] as unknown[], statuses: [] as unknown[] };
        Object.assign(window, {
            seen,
            updateChart: (data: unknown) => seen.charts.push(data),
            showStatus: (status: unknown) => seen.statuses.push(status),
        });
    });
    await page.addScriptTag({ type: 'module', content: code });
    return { page, complaints };
}

interface Reported {
    seen: { charts: { levels: unknown[]; current_price: number }[]; statuses: string[] };
}

const plain = EXAMPLES.filter(({ language }) => language === 'js');
for (const [place, { code }] of plain.entries()) {
    // The one of the channels draws no chart: it runs with the tests of the package.
    if (!code.includes('updateChart')) continue;
    test(`JavaScript example ${place + 1}`, async () => {
        const { page, complaints } = await run(await bundled(`example-${place}.js`, here(code)));
        await page.waitForFunction(() => (window as unknown as Reported).seen.charts.length >= 3);
        const { charts, statuses } = await page.evaluate(() => (window as unknown as Reported).seen);
        assert.ok(charts.every(({ levels, current_price }) => levels.length > 50 && current_price > 0));
        // Not every example shows the status.
        assert.deepEqual(statuses, code.includes('showStatus') ? ['connecting', 'connected'] : []);
        assert.deepEqual(complaints, []);
        await page.context().close();
    });
}

test('the example that asks for a token sends what it was given', () => {
    assert.ok(server.protocols().some((offered) => offered.includes('bearer.eyJ0.eyJ1.c2ln')));
});

test('TypeScript example', async () => {
    const [example] = EXAMPLES.filter(({ language }) => language === 'ts');
    assert.ok(example);
    const code = await bundled('example.ts', here(example.code));
    const { page } = await open(browser, url, { bypassCSP: true });
    const printed: string[] = [];
    page.on('console', (message) => printed.push(message.text()));
    await page.addScriptTag({ type: 'module', content: code });
    while (!printed.some((words) => /^ETHUSDT \d/.test(words))) await page.waitForEvent('console');
    assert.ok(printed.includes('connected connected'));
    await page.context().close();
});

test('a page with one script file', async () => {
    const [example] = EXAMPLES.filter(({ language }) => language === 'html');
    assert.ok(example);
    writeFileSync(join(folder, 'plain.html'), here(example.code));
    const { page, complaints } = await open(browser, `${url}/plain.html`, { bypassCSP: true });
    await page.waitForFunction(() => /^\d+ levels around \d/.test(document.getElementById('levels')?.textContent ?? ''));
    assert.equal(await page.locator('#status').textContent(), 'connected: connected');
    const first = await page.locator('#levels').textContent();
    await page.waitForFunction((before) => document.getElementById('levels')?.textContent !== before, first);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('React example: shown, moved to another symbol, taken away', async () => {
    const [example] = EXAMPLES.filter(({ language }) => language === 'jsx');
    assert.ok(example);
    writeFileSync(join(folder, 'use-heatmap.jsx'), here(example.code));
    const code = await bundled(
        'app.jsx',
        `
        import { StrictMode, useState } from 'react';
        import { createRoot } from 'react-dom/client';
        import { useHeatmap } from './use-heatmap.jsx';
        function Levels() {
            const [symbol, setSymbol] = useState('BTCUSDT');
            const { state, status } = useHeatmap('${url.replace('http', 'ws')}/ws/heatmap', symbol);
            return <p onClick={() => setSymbol('ETHUSDT')}>{status} {state?.symbol} {state?.data.levels.length}</p>;
        }
        const root = createRoot(document.getElementById('root'));
        root.render(<StrictMode><Levels /></StrictMode>);
        window.unmount = () => root.unmount();
    `,
    );
    const before = server.viewers();
    const { page, complaints } = await run(code);
    await page.waitForFunction(() => /^connected BTCUSDT \d+$/.test(document.getElementById('root')?.innerText ?? ''));
    await page.locator('#root p').click();
    await page.waitForFunction(() => /^connected ETHUSDT \d+$/.test(document.getElementById('root')?.innerText ?? ''));
    assert.equal(server.viewers(), before + 1, 'one connection at a time');
    await page.evaluate(() => (window as unknown as { unmount(): void }).unmount());
    while (server.viewers() > before) await new Promise((resolve) => setImmediate(resolve));
    assert.deepEqual(complaints, []);
    await page.context().close();
});
