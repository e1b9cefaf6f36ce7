/** What a trader works with: links, Back, walls, tape, measuring, exports, search, and the page in a frame. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { asOf, axe, colours, open, PHONE, painted, pixelsLike, shown } from './browser.ts';
import { browser, serve, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 0, tiny: true });

const moment = (page: Page): Promise<number> => page.evaluate(() => Number(document.getElementById('chart')?.dataset.moment));

async function boxOf(page: Page, selector: string): Promise<{ x: number; y: number; width: number; height: number }> {
    return (await page.locator(selector).boundingBox()) ?? assert.fail(`${selector} is not on the page`);
}

test('a link shows the same picture to somebody with other settings: filters, moment and span', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&theme=dark`);
    await shown(page);
    await page.keyboard.press('[');
    await page.waitForURL(/[?&]at=\d/);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('+');
    await page.waitForURL(/[?&]from=\d.*to=\d/);
    const link = page.url();
    // Closer in, another picture is asked for.
    await page.waitForFunction(() => Number(document.getElementById('chart')?.dataset.moment) > 0);
    const when = await moment(page);
    const other = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'light' });
    const reader = await other.newPage();
    await reader.goto(url);
    await shown(reader);
    await reader.keyboard.press('l');
    await reader.waitForURL(/scale=log/);
    await reader.goto(link);
    await shown(reader);
    assert.equal(reader.url(), link);
    assert.equal(await moment(reader), when);
    assert.equal(await reader.locator('html').getAttribute('data-theme'), 'dark');
    await reader.goto(url);
    await reader.waitForURL(/scale=log.*theme=system/);
    assert.equal(await reader.locator('html').getAttribute('data-theme'), 'light');
    await other.close();
    await page.context().close();
});

test('the theme of the system is followed while the page is open, until one is chosen', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    const theme = (wanted: string): Promise<unknown> =>
        page.waitForFunction((wanted) => document.documentElement.dataset.theme === wanted, wanted);
    const [dark, light] = [
        [0x0a, 0x0d, 0x12],
        [0xff, 0xff, 0xff],
    ] as const;
    await theme('dark');
    assert.match(page.url(), /theme=system/);
    assert.ok((await pixelsLike(page, dark, 0)) > (await pixelsLike(page, light, 0)));
    await page.emulateMedia({ colorScheme: 'light' });
    await theme('light');
    await painted(page);
    assert.ok((await pixelsLike(page, light, 0)) > (await pixelsLike(page, dark, 0)), 'the chart as well');
    await page.emulateMedia({ colorScheme: 'dark' });
    await theme('dark');
    // Chosen: the system has no say any more.
    await page.keyboard.press('t');
    await theme('light');
    await page.waitForURL(/theme=light/);
    await page.emulateMedia({ colorScheme: 'light' });
    await page.emulateMedia({ colorScheme: 'dark' });
    await painted(page);
    await theme('light');
    await page.click('#more');
    await page.getByLabel('Theme', { exact: true }).selectOption('system');
    await theme('dark');
    await page.reload();
    await shown(page);
    assert.equal(await page.getByLabel('Theme', { exact: true }).inputValue(), 'system');
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('Back goes to the symbol, range and pane before', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    await page.getByLabel('Symbol', { exact: true }).selectOption('ETHUSDT');
    await page.waitForFunction(() => document.title.includes('ETHUSDT') && document.title.includes(','));
    await page.keyboard.press('m');
    await page.waitForSelector('#map:not([hidden])');
    await page.goBack();
    await page.waitForSelector('#map', { state: 'hidden' });
    await page.goBack();
    await page.waitForFunction(() => /^[\d,]+ BTCUSDT/.test(document.title));
    assert.equal(await page.getByLabel('Symbol', { exact: true }).inputValue(), 'BTCUSDT');
    await page.goForward();
    await page.waitForFunction(() => /^[\d,.]+ ETHUSDT/.test(document.title));
    await page.context().close();
});

test('walls are listed, sorted, copied, and shown in the chart', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    await page.keyboard.press('x');
    await page.waitForSelector('#panel .walls tbody tr');
    await page.waitForURL(/panel=walls/);
    const amounts = async (): Promise<number[]> =>
        (await page.locator('#panel .walls td:nth-child(3)').allTextContents()).map(
            (text) => Number.parseFloat(text) * ({ K: 1e3, M: 1e6, B: 1e9 }[text.at(-1) ?? ''] ?? 1),
        );
    const usd = await amounts();
    assert.ok(usd.length > 3);
    assert.deepEqual(
        usd,
        [...usd].sort((a, b) => b - a),
    );
    await page.getByRole('button', { name: 'Distance', exact: true }).click();
    const far = (await page.locator('#panel .walls td:nth-child(4)').allTextContents()).map((text) =>
        Math.abs(Number.parseFloat(text.replace('−', '-'))),
    );
    assert.deepEqual(
        far,
        [...far].sort((a, b) => a - b),
        'the nearest first',
    );
    await page.locator('#panel .walls td button').first().click();
    assert.match(await page.locator('#panel .hint').first().innerText(), /Above : below \d+ : \d+/);
    await page.keyboard.press('x');
    await page.waitForSelector('#panel', { state: 'hidden' });
    await page.context().close();
});

test('the tape lists realised liquidations above an amount, with totals', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=tape`);
    await shown(page);
    await page.waitForSelector('#panel .tape tbody tr');
    const count = await page.locator('#panel .tape tbody tr').count();
    const totals = await page.locator('#panel .totals').first().locator('tbody tr').allInnerTexts();
    assert.equal(totals.length, 4);
    assert.match(totals[3] ?? '', /^24 h\s+\$[\d.]+[KMB]\s+\$[\d.]+[KMB]$/);
    await page.getByText('By venue').click();
    const dollars = (text: string): number => Number.parseFloat(text) * ({ K: 1e3, M: 1e6, B: 1e9 }[text.at(-1) ?? ''] ?? 1);
    const sides = (text = ''): number[] => [...text.matchAll(/\$([\d.]+[KMB]?)/g)].map(([, usd]) => dollars(usd ?? ''));
    const day = await page.locator('#panel .totals tbody tr', { hasText: /^24 h (okx|bybit)/ }).allInnerTexts();
    for (const side of [0, 1]) {
        const sum = day.reduce((all, text) => all + (sides(text)[side] ?? 0), 0);
        assert.ok(Math.abs(sum / (sides(totals[3])[side] ?? 0) - 1) < 0.01, 'the venues add up');
    }
    assert.ok(server.asked.includes('/v1/liquidations/summary'));
    // Looking back, the totals are those of then.
    for (let step = 0; step < 30; step++) await page.keyboard.press('[');
    await page.waitForFunction((now) => document.querySelector<HTMLElement>('#panel .totals tbody tr')?.innerText !== now, totals[0]);
    await page.keyboard.press('n');
    await page.waitForFunction((now) => document.querySelector<HTMLElement>('#panel .totals tbody tr')?.innerText === now, totals[0]);
    await page.getByLabel('Least size').selectOption('1000000');
    await page.waitForFunction((before) => document.querySelectorAll('#panel .tape tbody tr').length < before, count);
    for (const text of await page.locator('#panel .tape td:nth-child(4)').allTextContents()) assert.match(text, /[MB]$/);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('shift and drag measures distance, time and dollars on the way, and moves nothing', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    const box = await boxOf(page, '#chart');
    const before = page.url();
    await page.keyboard.down('Shift');
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.5);
    await page.mouse.down();
    await page.mouse.move(box.x + box.width * 0.6, box.y + box.height * 0.2, { steps: 4 });
    await page.mouse.up();
    await page.keyboard.up('Shift');
    const words = await page.locator('.measure-words').innerText();
    assert.match(words, /^\+\d+\.\d\d % · [\d,]+\n\d+ (min|h)\nLongs \$[\d.]+[KMB]?\nShorts \$[\d.]+[KMB]?$/);
    assert.equal(page.url(), before);
    await page.keyboard.press('Escape');
    await page.waitForSelector('.measure', { state: 'hidden' });
    await page.context().close();
});

test('picture, walls and levels are saved as files', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&hide=100`);
    await shown(page);
    const saved = async (label: string): Promise<{ name: string; bytes: Buffer }> => {
        await page.getByRole('button', { name: 'Export', exact: true }).click();
        const download = page.waitForEvent('download');
        await page.getByRole('button', { name: label }).click();
        const file = await download;
        return { name: file.suggestedFilename(), bytes: readFileSync(await file.path()) };
    };
    const picture = await saved('Picture as PNG');
    assert.match(picture.name, /^liqheat-BTCUSDT-12h-2025-12-28T\d{4}\.png$/);
    assert.ok(picture.bytes.readUInt32BE(16) > 1_300, 'wider than the chart by the colour scale');
    const walls = (await saved('Walls as CSV')).bytes.toString().trim().split('\n');
    assert.equal(walls[0], 'side,low,high,usd,share,distance,age_seconds');
    assert.ok(walls.length > 3);
    const csv = (await saved('Levels as CSV')).bytes.toString().trim().split('\n');
    const json = JSON.parse((await saved('Levels as JSON')).bytes.toString()) as { symbol: string; levels: unknown[] };
    assert.deepEqual([json.symbol, json.levels.length], ['BTCUSDT', csv.length - 1]);
    await page.context().close();
});

test('a symbol is found by typing', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    await page.keyboard.press('/');
    await page.getByLabel('Find a symbol', { exact: true }).and(page.locator('input')).fill('pepe');
    await page.keyboard.press('Enter');
    await page.waitForFunction(() => /^0\.0\d+ 1000PEPEUSDT/.test(document.title));
    await page.context().close();
});

test('a symbol that is not served is named, and another one shown', async () => {
    const { page } = await open(browser, `${url}/?symbol=NOPEUSDT`);
    await page.getByText('NOPEUSDT is not served here; this is BTCUSDT.').waitFor();
    await shown(page);
    await page.context().close();
});

test('every price axis shows the picture, and times can be local', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`, { timezoneId: 'Asia/Kolkata' });
    await shown(page);
    for (const axis of ['log', 'percent', 'linear']) {
        await page.keyboard.press('a');
        await page.waitForURL(new RegExp(`axis=${axis}`));
        await painted(page);
        assert.ok((await colours(page)) > 100, axis);
    }
    assert.match(await page.locator('#scrub-says').innerText(), /UTC$/);
    await page.keyboard.press('u');
    await page.waitForURL(/zone=local/);
    await page.waitForFunction(() => document.getElementById('scrub-says')?.textContent?.endsWith('UTC+5:30'));
    assert.match(await page.locator('#foot').innerText(), /times in UTC\+5:30$/);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('in a frame there is the picture, its price and its badge, and nothing to set', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&embed=1`);
    await shown(page);
    for (const part of ['.tools', '#scrub', '#panel']) assert.equal(await page.locator(part).isVisible(), false, part);
    for (const part of ['#quote', '#badge', '#legend']) assert.equal(await page.locator(part).isVisible(), true, part);
    assert.equal(await page.getByLabel('Symbol', { exact: true }).isDisabled(), true);
    const chart = await boxOf(page, '#chart');
    assert.ok(chart.height > 700, `the chart has the room: ${chart.height} px`);
    await page.setViewportSize({ width: 480, height: 300 });
    await painted(page);
    assert.ok((await boxOf(page, '#chart')).height > 220, 'also in a small frame');
    assert.ok((await asOf(page)) > 0);
    assert.ok(!server.asked.includes('/v1/alerts'), 'a frame in another page alerts nobody');
    await page.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing in panels and dialogs at ${width} width`, async () => {
        for (const theme of ['dark', 'light']) {
            const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&theme=${theme}&panel=walls`, {
                bypassCSP: true,
                ...options,
            });
            await shown(page);
            // Where the price is by now depends on the tests before; some level stands out this far from it.
            await page.selectOption('#panel select', '0.2');
            await page.waitForSelector('#panel .walls tbody tr');
            assert.deepEqual(await axe(page), [], `walls, ${theme}`);
            await page.keyboard.press('v');
            await page.waitForSelector('#panel .tape tbody tr');
            assert.deepEqual(await axe(page), [], `tape, ${theme}`);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            await page.keyboard.press('/');
            await page.waitForSelector('#search[open]');
            assert.deepEqual(await axe(page), [], `search, ${theme}`);
            await page.context().close();
        }
    });
}

test('one venue of a symbol is chosen beside it, by hand or by a link', async () => {
    await server.stop();
    await serve({ everyMs: 0, venues: ['okx', 'bybit'] });
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    assert.ok((await boxOf(page, '.top')).height < 56, 'the header is one line');
    await page.getByLabel('Venue').selectOption('okx');
    await page.waitForURL(/symbol=BTCUSDT@okx/);
    await page.waitForFunction(() => /^[\d,.]+ BTCUSDT@okx/.test(document.title));
    await shown(page);
    assert.equal(await page.getByLabel('Symbol', { exact: true }).inputValue(), 'BTCUSDT');
    await page.reload();
    await shown(page);
    assert.equal(await page.getByLabel('Venue').inputValue(), 'okx');
    await page.goBack();
    await page.waitForFunction(() => /^[\d,.]+ BTCUSDT ·/.test(document.title));
    assert.equal(await page.getByLabel('Venue').inputValue(), '');
    await page.goto(`${url}/?symbol=BTCUSDT@kraken`);
    await page.getByText('BTCUSDT@kraken is not served here; this is BTCUSDT.').waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('a finger finds the threshold on a phone', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`, PHONE);
    await shown(page);
    const slider = page.getByLabel('Liquidity threshold');
    const box = (await slider.boundingBox()) ?? assert.fail('no slider');
    assert.ok(box.height >= 44, `${box.height} px`);
    await page.touchscreen.tap(box.x + box.width / 2, box.y + 3);
    await page.waitForURL(/threshold=0\.4[5-9]|threshold=0\.5/);
    await page.context().close();
});

test('on a phone a panel leaves room for the picture and its panes, whose names move with them', async () => {
    for (const height of [844, 640]) {
        const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&studies=volume,open_interest&panel=none`, {
            ...PHONE,
            viewport: { width: 360, height },
        });
        await shown(page);
        /** Each name stands in its pane: the rows of the chart's table between the picture and the time axis, with lines between them. */
        const inPlace = (): Promise<unknown> =>
            page.waitForFunction(() => {
                const panes = [...document.querySelectorAll('#chart tr')]
                    .map((row) => row.getBoundingClientRect())
                    .filter((row) => row.height > 5);
                const names = [...document.querySelectorAll('.study')].map((name) => name.getBoundingClientRect());
                return (
                    names.length === 2 &&
                    names.every((name, at) => {
                        const pane = panes[at + 1];
                        return pane !== undefined && name.top >= pane.top && name.bottom <= pane.bottom + 1;
                    })
                );
            });
        await inPlace();
        const before = await boxOf(page, '.study >> nth=1');
        await page.locator('#panels').click();
        await page.locator('#panel').waitFor();
        await page.waitForFunction((top) => (document.querySelectorAll('.study')[1]?.getBoundingClientRect().top ?? top) < top, before.y);
        await inPlace();
        const [pane, panel] = [await boxOf(page, '#pane'), await boxOf(page, '#panel')];
        assert.ok(pane.height >= 190 && panel.height >= 120, `${pane.height} and ${panel.height} of ${height}`);
        await page.getByRole('button', { name: 'Map', exact: true }).click();
        await page.waitForFunction(() => (document.querySelector('#map canvas')?.clientHeight ?? 0) >= 190);
        await page.getByRole('button', { name: 'Heatmap', exact: true }).click();
        await page.getByRole('button', { name: 'Close the panel' }).click();
        await page.waitForFunction((top) => document.querySelectorAll('.study')[1]?.getBoundingClientRect().top === top, before.y);
        await inPlace();
        await page.context().close();
    }
});
