/**
 * The page in a real browser, against the server at LIQHEAT_URL or else the stand-in. Everything here must hold for any
 * server of the contract that has at least half a day of data.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, before, test } from 'node:test';
import type { Browser } from 'playwright-core';
import { asOf, axe, badge, colours, launch, open, PHONE, painted, shown } from './browser.ts';
import { StandInServer } from './stand-in-server.ts';

const DIST = new URL('../../../dashboard/dist', import.meta.url).pathname;

let browser: Browser;
let standIn: StandInServer | null = null;
let url = process.env.LIQHEAT_URL ?? '';

before(async () => {
    browser = await launch();
    if (url !== '') return;
    standIn = new StandInServer({ dist: DIST, everyMs: 300 });
    url = await standIn.start();
});

after(async () => {
    await browser.close();
    await standIn?.stop();
});

test('a picture appears, moves, and nothing is complained about', async () => {
    const { page, complaints } = await open(browser, url);
    await shown(page);
    assert.ok((await colours(page)) > 100, 'the picture has many colours');
    const before = await asOf(page);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    await page.waitForURL(/symbol=[A-Z0-9]+&range=/);
    assert.match(await page.title(), /^[\d,.]+ [A-Z0-9]+ · liqheat$/);
    assert.match(await badge(page), /^(Live|Replay|Warming up|Connected|Lagging)/);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('the page takes differences in the form it offers, and says what it has painted', async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 } });
    const page = await context.newPage();
    const sent: Record<string, unknown>[] = [];
    let deltas = 0;
    page.on('websocket', (socket) => {
        socket.on('framesent', ({ payload }) => sent.push(JSON.parse(String(payload)) as Record<string, unknown>));
        // 0x11 begins a difference in the binary form.
        socket.on('framereceived', ({ payload }) => {
            if (typeof payload === 'string' ? payload.includes('"type":"delta"') : payload[0] === 0x11) deltas += 1;
        });
    });
    await page.goto(url);
    await shown(page);
    const acked = (): boolean => sent.some(({ action }) => action === 'ack');
    const before = await asOf(page);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    while (deltas < 2 || !acked()) await painted(page);
    assert.equal(sent.find(({ action }) => action === 'subscribe')?.mode, 'delta');
    await context.close();
});

test('ranges, sides, scales, colours and themes can be chosen, and the address remembers them', async () => {
    const { page, complaints } = await open(browser, `${url}/?range=12h`);
    await shown(page);
    for (const name of ['Long', 'Short', 'Split', 'Both', 'Log', 'Rank', 'Linear']) {
        if (name === 'Log') await page.click('#more');
        await page.getByRole('button', { name, exact: true }).click();
        await painted(page);
        assert.ok((await colours(page)) > 50, name);
    }
    await page.getByRole('button', { name: 'Split', exact: true }).click();
    await page.keyboard.press('Escape');
    await page.click('#more');
    await page.getByLabel('Theme', { exact: true }).selectOption('light');
    await page.keyboard.press('Escape');
    await page.getByLabel('Liquidity threshold').fill('0.2');
    await page.waitForURL(/side=split/);
    await page.waitForURL(/theme=light/);
    await page.waitForURL(/threshold=0\.2/);
    await page.reload();
    await shown(page);
    assert.equal(await page.getByRole('button', { name: 'Split', exact: true }).getAttribute('aria-pressed'), 'true');
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
    for (const range of await page.locator('#ranges button:enabled').all()) {
        await range.click();
        await shown(page);
        assert.equal(await range.getAttribute('aria-pressed'), 'true');
    }
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('every symbol can be chosen', async () => {
    const { page, complaints } = await open(browser, url);
    await shown(page);
    const symbols = await page.locator('#symbol option').allTextContents();
    for (const symbol of symbols) {
        await page.getByLabel('Symbol', { exact: true }).selectOption(symbol);
        await shown(page);
        await page.waitForURL(new RegExp(`symbol=${symbol}`));
        await page.waitForFunction((name) => document.title.includes(name), symbol);
    }
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('the tooltip says what is under the pointer', async () => {
    const { page } = await open(browser, url);
    await shown(page);
    const box = await page.locator('#chart').boundingBox();
    assert.ok(box);
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.3);
    await page.waitForSelector('#tip:not([hidden])');
    // Of the past, too, by leverage: somewhere in a column there is a band.
    let words = '';
    for (let share = 0.1; share < 0.95 && !/^\d+x/m.test(words); share += 0.05) {
        await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * share);
        await painted(page);
        words = await page.locator('#tip').innerText();
    }
    for (const label of ['UTC', 'Price', 'Distance', 'Long', 'Short', 'Up to here', 'Band since'])
        assert.ok(words.includes(label), `${label} in ${words}`);
    assert.match(words, /^\d+x\s+\$[\d.]+/m);
    const amounts = (pattern: RegExp): number =>
        [...words.matchAll(pattern)].reduce(
            (sum, [, number, unit]) => sum + Number(number) * ({ K: 1e3, M: 1e6, B: 1e9 }[unit ?? ''] ?? 1),
            0,
        );
    const parts = amounts(/^\d+x\s+\$([\d.]+)([KMB]?)/gm);
    const sides = amounts(/^(?:Long|Short)\s+\$([\d.]+)([KMB]?)/gm);
    // Each is rounded to a step of its own; the smallest step stands for anything smaller.
    assert.ok(Math.abs(parts / sides - 1) < 0.1 || sides < 5_000, `${parts} of ${sides} in ${words}`);
    // Beside the bars at the right edge it speaks of now, and of leverage once that has been asked for.
    const asked: string[] = [];
    page.on('request', (request) => {
        if (new URL(request.url()).pathname === '/liquidations/levels') asked.push(request.url());
    });
    const found = async (): Promise<string> => {
        for (const share of [0.1, 0.2, 0.3, 0.7, 0.8, 0.9]) {
            await page.mouse.move(box.x + box.width * 0.9, box.y + box.height * share);
            await painted(page);
            const text = await page.locator('#tip').innerText();
            if (/^\d+x/m.test(text)) return text;
        }
        return '';
    };
    const end = Date.now() + 10_000;
    let now = '';
    while (now === '' && Date.now() < end) now = await found();
    assert.match(now, /UTC · now/);
    assert.ok(asked.length <= 4, `asked ${asked.length} times`);
    await page.context().close();
});

test('everything works from the keyboard', async () => {
    const { page, complaints } = await open(browser, `${url}/?range=12h`);
    await shown(page);
    for (const key of ['ArrowLeft', 'ArrowRight', '+', '-', '0']) await page.keyboard.press(key);
    await page.keyboard.press('l');
    await page.waitForURL(/scale=log/);
    await page.keyboard.press('c');
    await page.waitForURL(/colours=magma/);
    const again = page.waitForRequest(/v1\/heatmap\/history/);
    await page.keyboard.press('r');
    await again;
    await page.keyboard.press('w');
    await page.waitForURL(/swept=0/);
    await page.keyboard.press('t');
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'light');
    await page.keyboard.press('?');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog[open]', { state: 'detached' });
    await page.keyboard.press('/');
    await page.waitForSelector('#search[open]');
    assert.equal(await page.evaluate(() => document.activeElement?.id), 'search-text');
    await page.keyboard.press('Escape');
    await page.waitForSelector('#search[open]', { state: 'detached' });
    await shown(page);
    const saved = page.waitForEvent('download');
    await page.keyboard.press('s');
    const picture = readFileSync(await (await saved).path());
    assert.equal(picture.subarray(1, 4).toString(), 'PNG');
    assert.ok(picture.length > 20_000, `${picture.length} bytes`);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('one can look back, and come back to now', async () => {
    const { page, complaints } = await open(browser, `${url}/?range=12h`);
    await shown(page);
    const moment = (): Promise<number> => page.evaluate(() => Number(document.getElementById('chart')?.dataset.moment));
    const back = page.getByRole('button', { name: 'Back to now' });
    assert.equal(await back.isVisible(), false);
    await page.keyboard.press('[');
    await page.keyboard.press('[');
    await painted(page);
    const second = await moment();
    assert.ok(second > 0 && second < (await asOf(page)));
    await page.keyboard.press(']');
    await painted(page);
    assert.ok((await moment()) > second);
    const slider = page.getByLabel('Look back');
    await slider.focus();
    for (let step = 0; step < 3; step++) await page.keyboard.press('PageDown');
    await painted(page);
    const far = await moment();
    assert.ok(far > 0 && far < second, 'the slider goes further');
    assert.match(await page.locator('#scrub-says').innerText(), /^As of .* UTC$/);
    const full = await colours(page);
    const before = await asOf(page);
    await page.waitForFunction((past) => Number(document.getElementById('chart')?.dataset.asOf) > past, before);
    assert.equal(await moment(), far, 'the market moves on, the moment stays');
    await back.click();
    await painted(page);
    assert.equal(await moment(), 0);
    assert.equal(await back.isVisible(), false);
    assert.ok((await colours(page)) > 100 && full > 100);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('a phone has everything within its width', async () => {
    const { page, complaints } = await open(browser, url, PHONE);
    await shown(page);
    assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
    const box = await page.locator('#chart').boundingBox();
    assert.ok(box !== null && box.height > 844 * 0.6, `the chart has ${box?.height} px`);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

for (const theme of ['dark', 'light']) {
    for (const [width, options] of [
        ['desktop', {}],
        ['phone', PHONE],
    ] as const) {
        test(`axe finds nothing in the ${theme} theme at ${width} width, in the heatmap, the map and the help`, async () => {
            const { page } = await open(browser, `${url}/?theme=${theme}`, { bypassCSP: true, ...options });
            await shown(page);
            assert.deepEqual(await axe(page), []);
            await page.keyboard.press('m');
            await page.waitForSelector('#map:not([hidden])');
            await page.waitForSelector('#leverages button');
            await painted(page);
            assert.deepEqual(await axe(page), []);
            await page.keyboard.press('?');
            await page.waitForSelector('dialog[open]');
            assert.deepEqual(await axe(page), []);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            await page.context().close();
        });
    }
}

test('leverages can be hidden in the heatmap, at once and without asking the server', async () => {
    const { page, complaints } = await open(browser, `${url}/?range=12h`);
    await shown(page);
    const pixels = (): Promise<string> =>
        page.evaluate(() => {
            const canvas = document.querySelector<HTMLCanvasElement>('#chart table tr td:nth-child(2) canvas');
            if (canvas === null) return '';
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
            copy?.drawImage(canvas, 0, 0);
            // The left half: nothing live is drawn there.
            const data = copy?.getImageData(0, 0, canvas.width >> 1, canvas.height).data ?? [];
            let sum = 0;
            for (let at = 0; at < data.length; at += 4)
                sum = (sum * 31 + (data[at] ?? 0) + 7 * (data[at + 1] ?? 0) + 13 * (data[at + 2] ?? 0)) >>> 0;
            return String(sum);
        });
    const asked: string[] = [];
    page.on('request', (request) => {
        const { pathname, searchParams } = new URL(request.url());
        // One column alone is asked for what was seen at the beginning; it is no picture, and comes when it comes.
        if (pathname === '/v1/heatmap/history' && searchParams.get('columns') !== '1') asked.push(request.url());
    });
    // The planes by leverage are fetched when somebody points at the picture.
    const split = page.waitForResponse((response) => response.url().includes('by=leverage'));
    await page.mouse.move(600, 400);
    await split;
    await painted(page);
    await page.mouse.move(600, 20);
    await painted(page);
    asked.length = 0;
    const all = await pixels();
    const chips = page.locator('#leverages button');
    const pressed = (count: number): Promise<unknown> =>
        page.waitForFunction((want) => document.querySelectorAll('#leverages button[aria-pressed="true"]').length === want, count);
    const changed = async (from: string): Promise<void> => {
        for (;;) {
            await painted(page);
            if ((await pixels()) !== from) return;
        }
    };
    const count = await chips.count();
    assert.ok(count >= 3, `${count} leverages`);
    await chips.nth(count - 1).click({ modifiers: ['Shift'] });
    await pressed(1);
    await page.waitForURL(/hide=[\d%C]+/);
    await changed(all);
    assert.equal(asked.length, 0, 'the picture is not fetched for it');
    await page.reload();
    await shown(page);
    await pressed(1);
    await page.keyboard.press('m');
    await page.waitForSelector('#map:not([hidden])');
    await pressed(1);
    await page.keyboard.press('m');
    await page.waitForSelector('#map', { state: 'hidden' });
    await chips.nth(count - 1).click({ modifiers: ['Shift'] });
    await pressed(count);
    await page.waitForURL((at) => !at.search.includes('hide='));
    for (const chip of await chips.all()) await chip.click();
    await pressed(0);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('the liquidation map shows bars by leverage, which can be switched off', async () => {
    const { page, complaints } = await open(browser, url);
    await shown(page);
    await page.keyboard.press('m');
    await page.waitForSelector('#leverages button');
    await page.waitForURL(/view=map/);
    const lit = (): Promise<number> =>
        page.evaluate(() => {
            const canvas = document.querySelector<HTMLCanvasElement>('#map canvas');
            if (canvas === null) return 0;
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
            copy?.drawImage(canvas, 0, 0);
            const pixels = copy?.getImageData(0, 0, canvas.width, canvas.height).data;
            const ground = pixels?.slice(0, 3).join();
            let count = 0;
            for (let at = 0; pixels !== undefined && at < pixels.length; at += 4) {
                if (pixels.slice(at, at + 3).join() !== ground) count += 1;
            }
            return count;
        });
    await painted(page);
    const full = await lit();
    for (const button of await page.locator('#leverages button').all()) await button.click();
    await painted(page);
    const bare = await lit();
    assert.ok(bare < full / 2, `with every leverage off only the axes are left: ${bare} of ${full} pixels`);
    await page.keyboard.press('m');
    await shown(page);
    assert.ok((await colours(page)) > 100);
    assert.deepEqual(complaints, []);
    await page.context().close();
});
