/** What can be read off the page: tooltips by mouse and finger, sides, the header at every width, and the system's colours. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { compactUsd } from '../src/model/format.ts';
import { badgeSays, open, PHONE, painted, pixelsLike, shown } from './browser.ts';
import { browser, serve, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 0, tiny: true });

const tip = (page: Page): Promise<string> => page.locator('#tip').innerText();

function dollars(text: string, pattern: RegExp): number {
    return [...text.matchAll(pattern)].reduce(
        (sum, [, number, unit]) => sum + Number(number) * ({ K: 1e3, M: 1e6, B: 1e9 }[unit ?? ''] ?? 1),
        0,
    );
}

async function boxOf(page: Page, selector: string): Promise<{ x: number; y: number; width: number; height: number }> {
    return (await page.locator(selector).boundingBox()) ?? assert.fail(`${selector} is not on the page`);
}

test('where bins are not exact in binary, the parts of every cell add up to it', async () => {
    const { page } = await open(browser, `${url}/?symbol=1000PEPEUSDT&range=12h`);
    await shown(page);
    const box = await boxOf(page, '#chart');
    let cells = 0;
    for (let at = 0; at < 240; at++) {
        await page.mouse.move(box.x + box.width * (0.15 + 0.13 * (at % 5)), box.y + box.height * (0.05 + 0.85 * (at / 240)));
        await painted(page);
        let text = await tip(page);
        const sides = dollars(text, /^(?:Long|Short)\s+\$([\d.]+)([KMB]?)/gm);
        if (sides < 5_000) continue;
        if (cells === 0) {
            // The picture comes without leverages; the first tooltip asks for them.
            await page.waitForFunction(() => /^\d+x\s/m.test(document.getElementById('tip')?.innerText ?? ''));
            text = await tip(page);
        }
        cells += 1;
        const parts = dollars(text, /^\d+x\s+\$([\d.]+)([KMB]?)/gm);
        // Each plane is rounded to a step of its own.
        assert.ok(Math.abs(parts / sides - 1) < 0.1, `${parts} of ${sides} in ${text}`);
        assert.match(text, /^Price\s+0\.00\d{4,5} – 0\.00\d{4,5}$/m, 'no invented digits');
    }
    assert.ok(cells > 40, `${cells} cells with something in them`);
    await page.context().close();
});

test('a resting pointer tells what is under it now, in both views', async () => {
    const { page } = await open(browser, `${url}/?range=12h`);
    await shown(page);
    await page.keyboard.press('m');
    await page.waitForSelector('#leverages button');
    const box = await boxOf(page, '#map');
    const distance = async (): Promise<string> => (/^Distance\s+(.*)$/m.exec(await tip(page)) ?? [])[1] ?? '';
    // Some bin with levels.
    for (let share = 0.3; share < 0.5 && (await distance()) === ''; share += 0.005) {
        await page.mouse.move(box.x + box.width * share, box.y + box.height * 0.8);
        await painted(page);
    }
    const before = await distance();
    assert.notEqual(before, '');
    for (let step = 0; step < 10; step++) server.advance();
    await page.waitForFunction((old) => !(document.getElementById('tip')?.innerText ?? '').includes(old), before);
    await page.keyboard.press('m');
    await shown(page);
    const chart = await boxOf(page, '#chart');
    await page.mouse.move(chart.x + chart.width * 0.5, chart.y + chart.height * 0.4);
    await page.waitForSelector('#tip:not([hidden])');
    const time = (await tip(page)).split('\n')[0];
    await page.keyboard.press('ArrowLeft');
    await page.waitForFunction((old) => !(document.getElementById('tip')?.innerText ?? '').startsWith(old), time ?? '');
    await page.context().close();
});

test('a finger gets the same numbers: by a tap in the heatmap, by tap and drag in the map', async () => {
    const { page } = await open(browser, `${url}/?range=12h`, PHONE);
    await shown(page);
    const box = await boxOf(page, '#chart');
    await page.touchscreen.tap(box.x + box.width * 0.4, box.y + box.height * 0.3);
    await page.waitForSelector('#tip:not([hidden])');
    assert.match(await tip(page), /Price[\s\S]*Distance/);
    await page.touchscreen.tap(box.x + box.width * 0.4, box.y + box.height * 0.3);
    await page.waitForSelector('#tip', { state: 'hidden' });
    await page.keyboard.press('m');
    await page.waitForSelector('#leverages button');
    await painted(page);
    const map = await boxOf(page, '#map');
    const client = await page.context().newCDPSession(page);
    const touch = async (type: 'touchStart' | 'touchMove' | 'touchEnd', x: number): Promise<void> => {
        await client.send('Input.dispatchTouchEvent', {
            type,
            touchPoints: type === 'touchEnd' ? [] : [{ x: map.x + map.width * x, y: map.y + map.height * 0.7 }],
        });
    };
    const captions = new Set<string>();
    await touch('touchStart', 0.2);
    for (let x = 0.2; x < 0.8; x += 0.02) {
        await touch('touchMove', x);
        await painted(page);
        if (await page.locator('#tip').isVisible()) captions.add((await tip(page)).split('\n')[0] ?? '');
    }
    await touch('touchEnd', 0);
    assert.ok(captions.size > 5, `${captions.size} different bins were shown under a moving finger`);
    await page.context().close();
});

test('one side alone is one side everywhere', async () => {
    const { page } = await open(browser, `${url}/?range=12h&side=long`);
    await shown(page);
    const box = await boxOf(page, '#chart');
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.7);
    await page.waitForSelector('#tip:not([hidden])');
    assert.match(await tip(page), /Long/);
    assert.doesNotMatch(await tip(page), /Short/);
    const clusters = await page.locator('#clusters').innerText();
    assert.match(clusters, /Longs below/);
    assert.doesNotMatch(clusters, /Shorts above/);
    await page.context().close();
});

test('levels of now are drawn beside the picture, never over it', async () => {
    const { page } = await open(browser, `${url}/?range=12h&side=short&threshold=0.95&theme=dark&events=0`);
    await shown(page);
    // The bars' orange over the ground, as it is blended.
    const bars = (): Promise<number> => pixelsLike(page, [212, 138, 66], 6);
    assert.ok((await bars()) > 100, 'bars in the room on the right');
    await page.keyboard.press('ArrowLeft');
    await painted(page);
    assert.equal(await bars(), 0, 'the live edge is off screen');
    await page.keyboard.press('0');
    await painted(page);
    assert.ok((await bars()) > 100);
    await page.context().close();
});

test('a symbol without a state takes the numbers of the one before off the page', async () => {
    server.trouble.withoutState = 'ETHUSDT';
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    assert.match(await page.title(), /^[\d,]+ BTCUSDT/);
    await page.getByLabel('Symbol', { exact: true }).selectOption('ETHUSDT');
    await page.getByRole('heading', { name: 'No state of ETHUSDT yet' }).waitFor();
    assert.equal(await page.title(), 'ETHUSDT · liqheat');
    for (const part of ['#quote', '#clusters', '#foot', '#legend .top-end']) assert.equal(await page.locator(part).innerText(), '', part);
    server.trouble.withoutState = '';
    server.advance();
    await shown(page);
    assert.match(await page.title(), /^[\d,.]+ ETHUSDT/);
    await page.context().close();
});

test('the header shows every number whole at every width', async () => {
    for (const symbol of ['BTCUSDT', '1000PEPEUSDT']) {
        const { page } = await open(browser, `${url}/?symbol=${symbol}&range=12h`);
        await shown(page);
        for (const width of [320, 390, 720, 721, 820, 900, 1024, 1181, 1440]) {
            await page.setViewportSize({ width, height: 800 });
            await painted(page);
            const cut = await page.evaluate(() => {
                const words = [...document.querySelectorAll('#quote *, #clusters b, #clusters .far, #badge, #simulated')];
                const visible = words.filter((each) => (each as HTMLElement).offsetParent !== null && each.textContent !== '');
                const outside = visible.filter((each) => {
                    const { left, right, top, bottom } = each.getBoundingClientRect();
                    const bar = document.querySelector('.top')?.getBoundingClientRect();
                    return left < 0 || right > window.innerWidth || bar === undefined || top < bar.top || bottom > bar.bottom + 0.5;
                });
                return { outside: outside.map((each) => each.textContent), sides: document.querySelectorAll('#clusters > span').length };
            });
            assert.deepEqual(cut, { outside: [], sides: 2 }, `${symbol} at ${width} px`);
            const overlapping = await page.evaluate(() => {
                const boxes = ['#quote', '#clusters', '.chips'].map((each) => document.querySelector(each)?.getBoundingClientRect());
                return boxes.some((a, i) =>
                    boxes.some(
                        (b, j) =>
                            i < j &&
                            a !== undefined &&
                            b !== undefined &&
                            a.left < b.right - 1 &&
                            b.left < a.right - 1 &&
                            a.top < b.bottom - 1 &&
                            b.top < a.bottom - 1,
                    ),
                );
            });
            assert.equal(overlapping, false, `${symbol} at ${width} px`);
        }
        await page.context().close();
    }
});

test('a replay that has ended says so, though the server goes on answering', async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark' });
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${url}/?range=12h`);
    await shown(page);
    await badgeSays(page, 'Replay ×60');
    await page.clock.fastForward(21_000);
    server.setFeed('replay');
    await badgeSays(page, 'Replay ended');
    server.advance();
    await badgeSays(page, 'Replay ×60');
    await context.close();
});

test('where the system chooses the colours, what is pressed and what slides can be seen', async () => {
    const { page } = await open(browser, `${url}/?range=12h`, { forcedColors: 'active' });
    await shown(page);
    const seen = await page.evaluate(() => {
        const ground = (selector: string): string => getComputedStyle(document.querySelector(selector) ?? document.body).backgroundColor;
        return {
            pressed: ground('#ranges [aria-pressed="true"]'),
            released: ground('#ranges [aria-pressed="false"]'),
            track: ground('#scrub-to'),
            page: getComputedStyle(document.body).backgroundColor,
        };
    });
    assert.notEqual(seen.pressed, seen.released);
    assert.notEqual(seen.track, seen.page);
    await page.context().close();
});

test('while a socket is open nothing is asked for by the clock', async () => {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark' });
    const page = await context.newPage();
    await page.clock.install();
    await page.goto(`${url}/?range=12h`);
    await shown(page);
    for (const view of ['heatmap', 'map']) {
        if (view === 'map') {
            const levels = page.waitForResponse(/\/liquidations\/levels/);
            await page.keyboard.press('m');
            await levels;
            await page.waitForSelector('#leverages button');
        }
        await page.waitForLoadState('networkidle');
        const before = server.asked.length;
        // Less than a minute, after which the list of symbols is asked for.
        for (let n = 0; n < 4; n++) {
            await page.clock.fastForward(10_000);
            server.setFeed('replay');
            await painted(page);
        }
        // The list of symbols is read once a minute.
        assert.deepEqual(
            server.asked.slice(before).filter((path) => path !== '/v1/symbols'),
            [],
            view,
        );
    }
    await context.close();
});

test('liquidations come over the socket: circles, tape and totals follow without asking; what was lost is read again', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&interval=1h&panel=tape`);
    await shown(page);
    const market = server.markets.get('BTCUSDT');
    assert.ok(market !== undefined);
    await page.waitForSelector('#panel .tape tbody tr');
    // The hour begins, which closes a candle.
    server.advance();
    const followed = (): Promise<unknown> =>
        page.waitForFunction((time) => Number(document.getElementById('chart')?.dataset.asOf) >= time, market.asOf());
    const liquidated = (): Promise<number> => page.evaluate(() => Number(document.getElementById('chart')?.dataset.liquidated));
    await followed();
    await page.waitForLoadState('networkidle');
    await painted(page);
    const [before, asked, known] = [await liquidated(), server.asked.length, market.happened.length];
    while (market.happened.length < known + 3 && market.steps.length % 60 < 50) server.advance();
    const rows = market.happened.slice(known);
    assert.ok(rows.length > 0, 'something happened within the hour');
    await followed();
    const sum = rows.reduce((all, { usd }) => all + usd, before);
    await page.waitForFunction((sum) => Math.abs(Number(document.getElementById('chart')?.dataset.liquidated) - sum) < 1, sum);
    const newest = `$${compactUsd(Math.max(...rows.map(({ usd }) => usd)))}`;
    await page.waitForFunction((text) => document.querySelector('#panel .tape')?.textContent?.includes(text), newest);
    const paths = server.asked.slice(asked).filter((path) => /liquidations/.test(path));
    assert.deepEqual(paths, [], 'nothing was asked for');
    const again = page.waitForResponse(/\/v1\/liquidations\?/);
    const sent = market.happened.length;
    while (market.happened.length === sent) market.advance();
    server.missLiquidations();
    await again;
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('where the server says that sockets are off, none is tried and the console stays silent', async () => {
    server.trouble.socketsOff = server.trouble.socketsOffAnnounced = true;
    server.trouble.polling = true;
    const { page, complaints } = await open(browser, `${url}/?range=12h`);
    const opened: string[] = [];
    page.on('websocket', (socket) => opened.push(socket.url()));
    await badgeSays(page, 'Polling');
    await shown(page);
    for (let state = 0; state < 3; state++) {
        server.advance();
        const now = server.markets.get('BTCUSDT')?.asOf() ?? 0;
        await page.waitForFunction((time) => Number(document.getElementById('chart')?.dataset.asOf) >= time, now);
    }
    assert.deepEqual([complaints, opened], [[], []]);
    await page.context().close();
});

/** Of the dark theme, by the share of the picture left and right of a place: how bright it is on average, 0..255. */
function brightness(page: Page, from: number, to: number): Promise<number> {
    return page.evaluate(
        ([from, to]) => {
            const canvas = document.querySelector<HTMLCanvasElement>('#chart table tr td:nth-child(2) canvas');
            if (canvas === null) throw new Error('no canvas');
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
            copy?.drawImage(canvas, 0, 0);
            const left = Math.round(canvas.width * from);
            const { data } = copy?.getImageData(left, 0, Math.round(canvas.width * (to - from)), canvas.height) ?? { data: [] };
            let sum = 0;
            for (let at = 0; at < data.length; at += 4) sum += ((data[at] ?? 0) + (data[at + 1] ?? 0) + (data[at + 2] ?? 0)) / 3;
            return sum / (data.length / 4);
        },
        [from, to] as const,
    );
}

test('what a young model assumes is faded, by how much it assumes, and the tooltip says so', async () => {
    await server.stop();
    const first = server.markets.get('BTCUSDT')?.steps[0]?.time ?? 0;
    const now = server.markets.get('BTCUSDT')?.asOf() ?? 0;
    const brightnesses: number[][] = [];
    // The first server does not say how much was seen.
    for (const seenShare of [(): number => Number.NaN, (time: number): number => 1 - Math.exp((-2.5 * (time - first)) / (now - first))]) {
        await serve({ everyMs: 0, seenShare });
        const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=3d&theme=dark&events=0`);
        await shown(page);
        // A cell that holds something, in the first hours.
        let text = '';
        for (let y = 120; y < 700 && !/^(Long|Short)\s+\$/m.test(text); y += 24) {
            await page.mouse.move(200, y);
            await painted(page);
            text = await tip(page);
        }
        assert.match(text, /^(Long|Short)\s+\$/m);
        if (Number.isNaN(seenShare(first))) assert.doesNotMatch(text, /Assumed/);
        else assert.match(text, /^Assumed\s+\d+ % of positions$/m);
        await page.mouse.move(10, 10);
        await page.waitForFunction(() => document.getElementById('tip')?.hidden === true);
        await painted(page);
        brightnesses.push([await brightness(page, 0.02, 0.2), await brightness(page, 0.65, 0.8)]);
        assert.deepEqual(complaints, []);
        await page.context().close();
        await server.stop();
    }
    const [[oldLeft = 0, oldRight = 0] = [], [youngLeft = 0, youngRight = 0] = []] = brightnesses;
    assert.ok(youngLeft < oldLeft * 0.9, `${youngLeft} instead of ${oldLeft} where little was seen`);
    assert.ok(Math.abs(youngRight - oldRight) < oldRight * 0.04, `${youngRight} instead of ${oldRight} where nearly all was seen`);
    await server.start();
});

test('where a venue joined the sum, a line says so', async () => {
    await server.stop();
    const now = server.markets.get('BTCUSDT')?.asOf() ?? 0;
    await serve({
        everyMs: 0,
        venues: ['binance', 'okx', 'bybit'],
        venueBegins: { okx: now - 6 * 3_600_000, bybit: now - 6 * 3_600_000 + 60_000 },
    });
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.seams === '1');
    await shown(page);
    // A dashed line from top to bottom: its colour comes up in one column of pixels, again and again.
    const runs = await page.evaluate(() => {
        const canvas = document.querySelector<HTMLCanvasElement>('#chart table tr td:nth-child(2) canvas');
        if (canvas === null) return 0;
        const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
        copy?.drawImage(canvas, 0, 0);
        const { data } = copy?.getImageData(0, 0, canvas.width, canvas.height) ?? { data: [] };
        let most = 0;
        for (let x = 1; x < canvas.width - 1; x++) {
            let changes = 0;
            let before = false;
            for (let y = 0; y < canvas.height; y++) {
                const at = (y * canvas.width + x) * 4;
                const bright = (place: number): number => (data[place] ?? 0) + (data[place + 1] ?? 0) + (data[place + 2] ?? 0);
                const stands = bright(at) > bright(at - 4) + 60 && bright(at) > bright(at + 4) + 60;
                if (stands && !before) changes += 1;
                before = stands;
            }
            most = Math.max(most, changes);
        }
        return most;
    });
    assert.ok(runs > 40, `${runs} dashes`);
    // One venue alone has no seams.
    await page.getByLabel('Venue').selectOption('okx');
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.seams === '0');
    assert.deepEqual(complaints, []);
    await page.context().close();
});
