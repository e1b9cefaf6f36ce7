/** The page against the built program at LIQHEAT_BIN, which this test starts, kills and starts again. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { after, afterEach, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { asOf, badgeSays, colours, launch, open, shown } from './browser.ts';
import { end, freePort, start as startProgram } from './programs.ts';

const BINARY = process.env.LIQHEAT_BIN ?? '';

let browser: Browser;
let port: number;
let running: ChildProcess | null = null;

async function start(settings: Record<string, string> = {}): Promise<void> {
    const answers = async (): Promise<boolean> => (await fetch(`http://127.0.0.1:${port}/health`)).status > 0;
    running = await startProgram(BINARY, ['demo', '--listen', `127.0.0.1:${port}`], settings, answers);
}

async function kill(): Promise<void> {
    if (running !== null) await end(running);
    running = null;
}

before(async () => {
    browser = await launch();
    port = await freePort();
});

afterEach(kill);

after(() => browser.close());

test('opened while the demo still begins, killed and started again: a picture, red, a picture', { skip: BINARY === '' }, async () => {
    await start();
    const { page } = await open(browser, `http://127.0.0.1:${port}/`);
    await page.waitForFunction(() => Number(document.getElementById('chart')?.dataset.columns ?? 0) > 100, null, { timeout: 60_000 });
    await shown(page);
    await kill();
    await badgeSays(page, 'Disconnected');
    assert.ok((await colours(page)) > 100, 'the last picture stays');
    await start();
    await page.waitForFunction(
        () =>
            document.getElementById('banner')?.hidden === true &&
            /^(Live|Replay|Warming)/.test(document.getElementById('badge')?.textContent ?? ''),
        null,
        { timeout: 60_000 },
    );
    await page.waitForFunction(() => Number(document.getElementById('chart')?.dataset.columns ?? 0) > 100, null, { timeout: 60_000 });
    assert.ok((await colours(page)) > 100);
    await page.context().close();
});

test('without sockets the page polls, says so, and follows the market', { skip: BINARY === '' }, async () => {
    await start({ WS_ENABLED: 'false' });
    const { page } = await open(browser, `http://127.0.0.1:${port}/`);
    const asked: { address: URL; tag: string | undefined; status: number }[] = [];
    page.on('response', (answer) => {
        const address = new URL(answer.url());
        if (address.pathname !== '/v1/heatmap') return;
        asked.push({ address, tag: answer.request().headers()['if-none-match'], status: answer.status() });
    });
    await badgeSays(page, 'Polling', 30_000);
    await shown(page);
    for (let step = 0; step < 3; step++) {
        const before = await asOf(page);
        await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    }
    assert.ok((await colours(page)) > 100);
    assert.ok(
        asked.some(({ address }) => address.searchParams.has('since')),
        'asks for what is new',
    );
    for (const { address, tag, status } of asked) {
        assert.equal(tag, undefined, address.href);
        assert.ok([200, 304].includes(status), address.href);
    }
    await page.context().close();
});

test('the built program serves what an installed page needs, which opens after it was killed', { skip: BINARY === '' }, async () => {
    await start();
    const base = `http://127.0.0.1:${port}`;
    for (const [path, type] of [
        ['sw.js', 'text/javascript'],
        ['manifest.webmanifest', 'application/manifest+json'],
        ['icon-512.png', 'image/png'],
    ] as const) {
        const answer = await fetch(`${base}/${path}`);
        const { headers } = answer;
        const policy = headers.get('content-security-policy') ?? '';
        assert.deepEqual([answer.status, headers.get('content-type'), headers.get('cache-control')], [200, type, 'no-cache'], path);
        assert.match(policy, /default-src 'self'/, path);
    }
    const { page } = await open(browser, `${base}/`);
    await page.waitForFunction(() => Number(document.getElementById('chart')?.dataset.columns ?? 0) > 0, null, { timeout: 60_000 });
    await page.evaluate(async () => {
        await navigator.serviceWorker.ready;
        while (navigator.serviceWorker.controller === null) await new Promise((done) => requestAnimationFrame(done));
    });
    await kill();
    await page.reload();
    await page.getByRole('heading', { name: 'No connection to the server' }).waitFor();
    await page.context().close();
});
