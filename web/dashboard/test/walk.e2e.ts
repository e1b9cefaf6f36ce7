/** The chart that can be walked: panning loads the past, zooming refines it, and nothing is fetched twice. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { colours, open, PHONE, painted, shown } from './browser.ts';
import { browser, server, setUpShared, url } from './set-up.ts';

const MINUTE = 60_000;

setUpShared({ everyMs: 0 });

interface Picture {
    start: number;
    columns: number;
    columnMs: number;
    candleMs: number;
    bin: number;
    live: boolean;
    from: number;
    to: number;
}

function picture(page: Page): Promise<Picture> {
    return page.evaluate(() => {
        const data = document.getElementById('chart')?.dataset ?? {};
        const address = new URLSearchParams(location.search);
        return {
            start: Number(data.start),
            columns: Number(data.columns),
            columnMs: Number(data.columnMs),
            candleMs: Number(data.candleMs),
            bin: Number(data.bin),
            live: data.live === 'true',
            from: Date.parse(address.get('from') ?? ''),
            to: Date.parse(address.get('to') ?? ''),
        };
    });
}

/** Waits until the picture on the screen is as fine as wanted and reaches over all that the address names. */
async function settled(
    page: Page,
    wanted: { columnMs?: number; candleMs?: number; live?: boolean },
    first: number,
    now: number,
): Promise<Picture> {
    await page.waitForFunction(
        ({ wanted, first, now }) => {
            const data = document.getElementById('chart')?.dataset ?? {};
            const address = new URLSearchParams(location.search);
            const from = Math.max(first, Date.parse(address.get('from') ?? ''));
            const to = Math.min(now, Date.parse(address.get('to') ?? ''));
            const start = Number(data.start);
            const end = start + Number(data.columns) * Number(data.columnMs);
            const fits = (name: string, value: unknown): boolean => value === undefined || String(value) === data[name];
            const all = fits('columnMs', wanted.columnMs) && fits('candleMs', wanted.candleMs) && fits('live', wanted.live);
            return all && start <= from && end >= to;
        },
        { wanted, first, now },
    );
    await painted(page);
    return picture(page);
}

/** Waits until the address names a stretch that begins or ends early enough. */
async function walkedTo(page: Page, name: 'from' | 'to', before: number): Promise<void> {
    await page.waitForFunction(([name, before]) => Date.parse(new URLSearchParams(location.search).get(name) ?? '') < before, [
        name,
        before,
    ] as const);
}

async function wheel(page: Page, times: number, delta: number, x = 700): Promise<void> {
    await page.mouse.move(x, 450);
    for (let n = 0; n < times; n++) {
        await page.mouse.wheel(0, delta);
        await painted(page);
    }
}

async function drag(page: Page, from: number, to: number): Promise<void> {
    await page.mouse.move(from, 450);
    await page.mouse.down();
    const steps = 8;
    for (let n = 1; n <= steps; n++) {
        await page.mouse.move(from + ((to - from) * n) / steps, 450);
        await painted(page);
    }
    await page.mouse.up();
}

function reach(symbol: string): { first: number; now: number } {
    const market = server.markets.get(symbol);
    return { first: market?.steps[0]?.time ?? 0, now: market?.asOf() ?? 0 };
}

test('zooming in goes down to candles of a minute, panning back into the past, and fit gives the range back', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=3d`);
    const { first, now } = reach('BTCUSDT');
    await shown(page);
    const whole = await picture(page);
    assert.ok(whole.columnMs > MINUTE && whole.candleMs > MINUTE && whole.live);
    await wheel(page, 34, -240);
    const near = await settled(page, { columnMs: MINUTE, candleMs: MINUTE }, first, now);
    assert.ok(near.bin < whole.bin, `rows of ${near.bin} instead of ${whole.bin}`);
    assert.ok(near.to - near.from < 12 * 60 * MINUTE);
    assert.ok((await colours(page)) > 60, 'there is a picture');
    // Into the past, by hand.
    for (let n = 0; n < 3; n++) await drag(page, 300, 1200);
    await walkedTo(page, 'to', near.from);
    const past = await settled(page, { columnMs: MINUTE, live: false }, first, now);
    assert.ok(past.start < near.start);
    assert.ok((await colours(page)) > 60, 'no black void');
    // And all the way out again.
    await page.keyboard.press('0');
    await page.waitForFunction((columnMs) => document.getElementById('chart')?.dataset.columnMs === String(columnMs), whole.columnMs);
    await painted(page);
    const back = await picture(page);
    assert.deepEqual([back.start, back.bin, back.candleMs, back.live], [whole.start, whole.bin, whole.candleMs, true]);
    assert.ok(Number.isNaN(back.from), 'the address names no stretch of time');
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('what is there is not fetched again', async () => {
    server.tiles.length = 0;
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=3d`);
    const { first, now } = reach('BTCUSDT');
    await shown(page);
    await wheel(page, 30, -240);
    await settled(page, { columnMs: MINUTE }, first, now);
    await drag(page, 400, 1000);
    await settled(page, { columnMs: MINUTE }, first, now);
    await drag(page, 1000, 400);
    await settled(page, { columnMs: MINUTE }, first, now);
    const before = server.tiles.length;
    const keys = server.tiles.map((query) => query.toString());
    assert.equal(new Set(keys).size, keys.length, 'each tile once');
    const answered = page.waitForFunction(() => (document.getElementById('chart')?.dataset.live ?? '') !== '');
    await drag(page, 400, 1000);
    await settled(page, { columnMs: MINUTE }, first, now);
    await answered;
    assert.equal(server.tiles.length, before, 'there and back again asks for nothing');
    await page.context().close();
});

test('a market in bars of a quarter of an hour is walked to its beginning', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=ETHUSDT&range=7d`);
    const { first, now } = reach('ETHUSDT');
    await shown(page);
    for (let n = 0; n < 8; n++) {
        await page.keyboard.press('ArrowLeft');
        await painted(page);
    }
    for (let n = 0; n < 30; n++) {
        await page.keyboard.press('ArrowLeft');
        await painted(page);
    }
    await walkedTo(page, 'from', first);
    const end = await settled(page, {}, first, now);
    assert.ok(end.from < first, 'panned beyond the first bar');
    assert.ok(end.start <= first);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('a link to a stretch of the past opens there, in detail', async () => {
    const { first, now } = reach('BTCUSDT');
    const from = new Date(first + 20 * 60 * MINUTE).toISOString();
    const to = new Date(first + 23 * 60 * MINUTE).toISOString();
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=3d&from=${from}&to=${to}`);
    await shown(page);
    const seen = await settled(page, { columnMs: MINUTE, candleMs: MINUTE, live: false }, first, now);
    assert.ok(Math.abs(seen.from - Date.parse(from)) < 5 * MINUTE && Math.abs(seen.to - Date.parse(to)) < 5 * MINUTE);
    // The header is of now wherever one looks.
    const price = await page.textContent('#quote');
    assert.match(price ?? '', /3d/);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('the live edge goes on in a picture of minutes', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    await wheel(page, 14, -240, 1250);
    const { first, now } = reach('BTCUSDT');
    const before = await settled(page, { columnMs: MINUTE, live: true }, first, now);
    for (let n = 0; n < 5; n++) server.advance('BTCUSDT');
    await page.waitForFunction(
        (end) => {
            const data = document.getElementById('chart')?.dataset ?? {};
            return Number(data.start) + Number(data.columns) * Number(data.columnMs) > end;
        },
        before.start + before.columns * before.columnMs,
    );
    await page.context().close();
});

test('leverages are shown apart wherever one has walked to', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=3d&hide=100`);
    const { first, now } = reach('BTCUSDT');
    await shown(page);
    await wheel(page, 30, -240);
    await settled(page, { columnMs: MINUTE }, first, now);
    assert.ok(server.tiles.some((query) => query.get('by') === 'leverage'));
    await page.context().close();
});

test('a date is gone to, and candles of a chosen interval stay', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&interval=15m`);
    const { first, now } = reach('BTCUSDT');
    await shown(page);
    assert.equal((await picture(page)).candleMs, 15 * MINUTE);
    await page.keyboard.press('g');
    const wanted = first + 30 * 60 * MINUTE;
    await page.fill('#date-at', new Date(wanted).toISOString().slice(0, 16));
    await page.getByRole('button', { name: 'Go', exact: true }).click();
    await walkedTo(page, 'to', now - 12 * 60 * MINUTE);
    const seen = await settled(page, { live: false, candleMs: 15 * MINUTE }, first, now);
    assert.ok(Math.abs((seen.from + seen.to) / 2 - wanted) < 10 * MINUTE, 'it is in the middle');
    await page.getByLabel('Candles').selectOption('1h');
    await settled(page, { candleMs: 60 * MINUTE }, first, now);
    assert.match(page.url(), /interval=1h/);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('panes under the chart share its cross and say what is not stored', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&studies=volume`);
    await shown(page);
    await page.click('#more');
    for (const name of ['Open interest', 'Funding', 'Liquidations']) await page.locator('#studies').getByLabel(name).check();
    await page.keyboard.press('Escape');
    await page.waitForURL(/studies=funding,liquidations,open_interest,volume/);
    const says = (): Promise<string[]> => page.locator('.study').allTextContents();
    await page.waitForFunction(() =>
        [...document.querySelectorAll('.study')].some((each) => /Open interest\s+\d/.test(each.textContent ?? '')),
    );
    const newest = await says();
    assert.deepEqual(
        newest.map((text) => text.split('  ')[0]),
        ['Volume · CVD', 'Open interest', 'Funding', 'Liquidations'],
    );
    assert.match(newest[2] ?? '', /not stored/);
    await page.mouse.move(400, 300);
    await page.waitForFunction((before) => document.querySelector('.study')?.textContent !== before, newest[0]);
    // Over a pane below, the picture has no tooltip, and the cross goes on.
    await page.mouse.move(500, 800);
    await page.waitForFunction(() => document.getElementById('tip')?.hidden === true);
    const tops = await page.locator('.study').evaluateAll((labels) => labels.map((label) => label.getBoundingClientRect().top));
    assert.ok(
        tops.every((top, at) => at === 0 || top > (tops[at - 1] ?? 0) + 40),
        `${tops.join()} one under the other`,
    );
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('the settings take one row at 1366 and 1440 pixels, also with eight leverages', async () => {
    const { page } = await open(browser, 'about:blank');
    await page.route(/v1\/symbols/, async (route) => {
        const answer = await route.fetch();
        const body = (await answer.json()) as { symbols: object[] };
        const symbols = body.symbols.map((each) => ({ ...each, leverages: [2, 3, 5, 10, 20, 25, 50, 100] }));
        await route.fulfill({ json: { ...body, symbols } });
    });
    await page.goto(`${url}/?symbol=BTCUSDT`);
    await shown(page);
    assert.equal(await page.locator('#leverages button').count(), 8);
    for (const width of [1366, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        const height = await page.locator('.tools').evaluate((tools) => tools.getBoundingClientRect().height);
        assert.ok(height < 48, `${height} px high at ${width} px`);
    }
    await page.context().close();
});

test('a finger pans into the past', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`, PHONE);
    await shown(page);
    const { first, now } = reach('BTCUSDT');
    const session = await page.context().newCDPSession(page);
    for (let swipe = 0; swipe < 3; swipe++) {
        const at = (x: number): { x: number; y: number }[] => [{ x, y: 400 }];
        await session.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: at(60) });
        for (let x = 80; x <= 320; x += 20) {
            await session.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: at(x) });
            await painted(page);
        }
        await session.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
    }
    await walkedTo(page, 'to', now);
    const seen = await settled(page, {}, first, now);
    assert.ok(seen.start < seen.from, 'with a picture');
    await page.context().close();
});

test('the first picture is asked for while the code that draws it is on its way, and only once', async () => {
    const { page } = await open(browser, 'about:blank');
    const asked: string[] = [];
    page.on('request', (request) => asked.push(request.url()));
    let release = (): void => {};
    const held = new Promise<void>((done) => {
        release = done;
    });
    await page.route(/assets\/app-.*\.js$/, async (route) => {
        await held;
        await route.continue();
    });
    const answered = Promise.all([page.waitForResponse(/prices\/klines/), page.waitForResponse(/heatmap\/history/)]);
    await page.goto(`${url}/?symbol=BTCUSDT&range=24h`, { waitUntil: 'commit' });
    await answered;
    const early = asked.filter((each) => /klines|history/.test(each));
    assert.equal(early.length, 2);
    assert.equal(await page.locator('#chart canvas').count(), 0, 'nothing can be drawn yet');
    release();
    await shown(page);
    for (const each of early) assert.equal(asked.filter((other) => other === each).length, 1, each);
    await page.context().close();
});
