/** The page when things go wrong; only the stand-in can be told to misbehave. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { asOf, axe, badgeSays, colours, open, PHONE, painted, pixelsLike, shown } from './browser.ts';
import { browser, serve, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 200 });

/** Presses the button if it is still there: the page also tries by itself, every three seconds. */
function tryNow(page: Page): Promise<void> {
    return page.evaluate(() => document.querySelector<HTMLButtonElement>('#notice button')?.click());
}

test('a server that goes away and comes back: red, then the picture goes on', async () => {
    const { page } = await open(browser, url);
    await shown(page);
    const port = Number(new URL(url).port);
    await server.stop();
    await badgeSays(page, 'Disconnected');
    await page.waitForSelector('#banner:not([hidden])');
    assert.match(await page.locator('#banner').innerText(), /Connection lost/);
    assert.ok((await colours(page)) > 100, 'the last picture stays');
    const before = await asOf(page);
    await serve({ everyMs: 200, port }, (restarted) => {
        restarted.epoch = 'after the restart';
        for (let n = 0; n < 30; n++) restarted.advance();
    });
    // The pauses between attempts grow while the server is away.
    await badgeSays(page, 'Replay', 40_000);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    await page.waitForSelector('#banner', { state: 'hidden' });
    assert.ok((await colours(page)) > 100);
    await page.context().close();
});

test('sockets switched off: the page polls, and says so', async () => {
    server.trouble.socketsOff = true;
    server.trouble.polling = true;
    const { page } = await open(browser, url);
    await badgeSays(page, 'Polling');
    await shown(page);
    const before = await asOf(page);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    server.trouble.socketsOff = false;
    await page.evaluate(() => window.dispatchEvent(new Event('online')));
    await badgeSays(page, 'Replay');
    await page.context().close();
});

test('a stale feed and a slow page are distinguished', async () => {
    const { page } = await open(browser, url);
    await shown(page);
    server.tell({ type: 'warning', code: 'SLOW_CONSUMER', message: 'behind', dropped_messages: 9 });
    await badgeSays(page, 'Slow');
    await page.getByText('Connection slow - may miss updates.').waitFor();
    server.setFeed('stale');
    await badgeSays(page, 'Stale');
    await page.waitForSelector('#banner:not([hidden])');
    server.setFeed('live');
    await page.waitForSelector('#banner', { state: 'hidden' });
    await page.context().close();
});

test('an empty database says how to fill it, and a filled one is found', async () => {
    server.trouble.empty = true;
    const { page } = await open(browser, url);
    await page.getByRole('heading', { name: 'No market data yet' }).waitFor();
    assert.match(await page.locator('#notice').innerText(), /Stop it, load some files, and start it again:\s+liqheat ingest/);
    server.trouble.empty = false;
    await tryNow(page);
    await shown(page);
    await page.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing where there is nothing to see, at ${width} width`, async () => {
        for (const theme of ['dark', 'light']) {
            server.trouble.empty = true;
            const { page } = await open(browser, `${url}/?theme=${theme}`, { bypassCSP: true, ...options });
            await page.getByRole('heading', { name: 'No market data yet' }).waitFor();
            assert.deepEqual(await axe(page), [], `empty, ${theme}`);
            server.trouble.empty = false;
            await tryNow(page);
            await shown(page);
            server.trouble.broken = true;
            await page.getByRole('button', { name: '12h' }).click();
            await page.getByRole('heading', { name: 'The picture could not be loaded' }).waitFor();
            assert.deepEqual(await axe(page), [], `broken, ${theme}`);
            server.trouble.broken = false;
            await shown(page);
            server.setFeed('stale');
            await badgeSays(page, 'Stale');
            await page.waitForSelector('#banner:not([hidden])');
            assert.deepEqual(await axe(page), [], `stale, ${theme}`);
            server.setFeed('replay');
            await page.context().close();
        }
    });
}

test('a picture too large to be split by leverage is shown whole', async () => {
    server.trouble.tooLargeToSplit = true;
    const { page } = await open(browser, `${url}/?hide=100`);
    await shown(page);
    assert.ok((await colours(page)) > 100);
    const chip = page.locator('#leverages button').first();
    // The server is asked once somebody wants it, and says that it makes none.
    await page.waitForFunction(() => document.querySelector<HTMLButtonElement>('#leverages button')?.disabled === true);
    assert.match((await chip.getAttribute('title')) ?? '', /too large/);
    await page.context().close();
});

test('a note that is only worth knowing can be closed, and stays closed', async () => {
    await server.stop();
    await serve({ everyMs: 200, seenShare: 0.2 });
    const { page } = await open(browser, url);
    await shown(page);
    await page.getByText('Warming up: the model saw 20 %').waitFor();
    await page.getByRole('button', { name: 'Close this note' }).click();
    await page.waitForSelector('#banner', { state: 'hidden' });
    const before = await asOf(page);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    assert.equal(await page.locator('#banner').isHidden(), true);
    await page.context().close();
});

test('a failing server is named with its own words, and tried again', async () => {
    const { page } = await open(browser, url);
    await shown(page);
    server.trouble.broken = true;
    await page.getByRole('button', { name: '12h' }).click();
    await page.getByRole('heading', { name: 'The picture could not be loaded' }).waitFor();
    assert.match(await page.locator('#notice').innerText(), /the store is being repaired/);
    server.trouble.broken = false;
    await shown(page);
    await page.context().close();
});

test('a server that has only just been started is waited for, without an alarm', async () => {
    server.trouble.starting = true;
    const { page, complaints } = await open(browser, url);
    await page.getByText('The server is not ready yet: the ledgers are being read').waitFor();
    assert.equal(await page.locator('#notice').getAttribute('data-kind'), 'loading');
    // As often as the server says.
    const before = server.asked.filter((path) => path === '/v1/symbols').length;
    await page.waitForResponse(/v1\/symbols/);
    assert.ok(server.asked.filter((path) => path === '/v1/symbols').length > before);
    server.trouble.starting = false;
    await shown(page);
    await badgeSays(page, 'Replay');
    // The browser itself writes down each answer of that kind.
    assert.deepEqual(
        complaints.filter((each) => !each.includes('503 (Service Unavailable)')),
        [],
    );
    await page.context().close();
});

test('code that does not come is named', async () => {
    const { page } = await open(browser, 'about:blank');
    await page.route(/assets\/app-.*\.js$/, (route) => route.abort());
    await page.goto(url);
    await page.getByText('The page could not be loaded from the server').waitFor();
    await page.context().close();
});

test('a state with a wrong hash is replaced and reported', async () => {
    const { page } = await open(browser, url);
    await shown(page);
    server.trouble.wrongHashOnce = true;
    server.advance();
    const before = await asOf(page);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    assert.equal(server.mismatches().length, 1);
    await page.context().close();
});

test('hours of market time pass, and the picture keeps up without growing', async () => {
    const { page, complaints } = await open(browser, `${url}/?range=12h`);
    await shown(page);
    const client = await page.context().newCDPSession(page);
    const heap = async (): Promise<number> => {
        await client.send('HeapProfiler.collectGarbage');
        return (await client.send('Runtime.getHeapUsage')).usedSize;
    };
    const follow = async (steps: number): Promise<void> => {
        for (let n = 0; n < steps; n++) {
            // Now and then a jump over several columns and candles, as a fast replay makes.
            for (let jump = n % 10 === 9 ? 14 : 1; jump > 0; jump--) server.advance();
            const now = server.markets.get('BTCUSDT')?.asOf() ?? 0;
            await page.waitForFunction((time) => Number(document.getElementById('chart')?.dataset.asOf) >= time, now);
        }
    };
    await follow(50);
    const early = await heap();
    await follow(250);
    const late = await heap();
    assert.ok(late < early + 4_000_000, `heap went from ${early} to ${late} bytes`);
    const columns = await page.evaluate(() => Number(document.getElementById('chart')?.dataset.columns));
    assert.ok(columns <= 1_100, `${columns} columns`);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('candles are there before the levels, which take longer', async () => {
    let answer = (): void => {};
    server.trouble.gridsAfter = new Promise((done) => {
        answer = done;
    });
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.preview === 'true');
    await page.getByText('Loading the levels').waitFor();
    await painted(page);
    assert.ok((await pixelsLike(page, [0x2e, 0xe6, 0xc0], 4)) > 200, 'rising candles');
    // Most of it is the plain ground; under the picture there is little of that.
    const ground = (): Promise<number> => pixelsLike(page, [0x0a, 0x0d, 0x12], 1);
    const plain = await ground();
    answer();
    await shown(page);
    const covered = await ground();
    assert.ok(plain > 2 * covered, `${plain} pixels of ground, ${covered} when the levels are there`);
    assert.equal(await page.locator('#chart').getAttribute('data-preview'), 'false');
    // Another symbol: its candles come first again, without what lay under those before.
    server.trouble.gridsAfter = new Promise((done) => {
        answer = done;
    });
    await page.getByRole('combobox', { name: 'Symbol' }).selectOption('ETHUSDT');
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.preview === 'true');
    await painted(page);
    assert.ok((await ground()) > 2 * covered, 'candles alone');
    answer();
    await shown(page);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('another range of a symbol: the picture stays until the new one is there, also while the server is gone', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    const start = await page.locator('#chart').getAttribute('data-start');
    let answer = (): void => {};
    server.trouble.gridsAfter = new Promise((done) => {
        answer = done;
    });
    await page.getByRole('button', { name: '3d' }).click();
    await page.getByText('Loading 3d').waitFor();
    await painted(page);
    assert.equal(await page.locator('#chart').getAttribute('data-start'), start, 'the picture before');
    assert.ok((await colours(page)) > 100, 'can be seen');
    assert.match(await page.locator('#quote').innerText(), /12h/, 'and is called what it is');
    const port = Number(new URL(url).port);
    await server.stop();
    answer();
    await badgeSays(page, 'Disconnected');
    await page.getByText('Connection lost').waitFor();
    assert.ok((await colours(page)) > 100, 'still there');
    await serve({ everyMs: 200, port });
    await page.waitForFunction((before) => Number(document.getElementById('chart')?.dataset.start) < Number(before), start);
    await page.waitForSelector('#notice', { state: 'hidden' });
    await page.waitForFunction(() => document.getElementById('quote')?.innerText.includes('3d'));
    await page.context().close();
});

test('where somebody goes while a range is on its way is shown once it is there', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    let answer = (): void => {};
    server.trouble.gridsAfter = new Promise((done) => {
        answer = done;
    });
    await page.getByRole('button', { name: '3d' }).click();
    await page.getByText('Loading 3d').waitFor();
    await page.keyboard.press('+');
    await page.waitForURL(/from=/);
    const wanted = new URL(page.url()).searchParams;
    answer();
    await page.waitForSelector('#notice', { state: 'hidden' });
    await page.waitForFunction(() => Number(document.getElementById('chart')?.dataset.columns) > 0);
    const stays = new URL(page.url()).searchParams;
    assert.deepEqual([stays.get('from'), stays.get('to'), stays.get('range')], [wanted.get('from'), wanted.get('to'), '3d']);
    await page.context().close();
});
