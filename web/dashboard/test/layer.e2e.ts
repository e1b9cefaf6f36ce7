/** Measured positions as a picture over time: where they are chosen, what they say of themselves, their holes, and their past. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { axe, open, PHONE, painted, shown } from './browser.ts';
import { browser, server, setUp, url } from './set-up.ts';

const LAYER = 'BTCUSDT@hyperliquid:measured';
const HOUR = 3_600_000;
/** Begin and end of what was not measured, before the end of the market. */
const HOLE = [5 * HOUR, 3.5 * HOUR] as const;

setUp({ everyMs: 0, venues: ['okx', 'hyperliquid'] }, (server) => {
    server.trouble.measured = 'live';
    const end = server.markets.get('BTCUSDT')?.asOf() ?? 0;
    server.layerSince = end - 9 * HOUR;
    server.unmeasured = [end - HOLE[0], end - HOLE[1]];
});

const ADDRESS = `?symbol=${LAYER}&range=12h`;

function foot(page: Page): Promise<string> {
    return page.locator('#foot').innerText();
}

async function footSays(page: Page, words: RegExp): Promise<void> {
    await page.locator('#foot').filter({ hasText: words }).waitFor();
}

/** Points at a share of the chart's width and height, and answers what the tooltip says. */
async function pointAt(page: Page, x: number, y: number): Promise<string> {
    const box = (await page.locator('#chart').boundingBox()) ?? assert.fail('no chart');
    await page.mouse.move(box.x + box.width * x, box.y + box.height * y);
    await painted(page);
    return page.locator('#tip').innerText();
}

/** Paths of requests about a layer that a server refuses. */
function refusals(page: Page): string[] {
    const refused: string[] = [];
    page.on('response', (response) => {
        if (response.status() >= 400) refused.push(response.url());
    });
    return refused;
}

test('measured positions are chosen among the venues, stand in the address, and Back leaves them', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    const refused = refusals(page);
    await shown(page);
    assert.match(await foot(page), /^Estimated liquidation levels/);
    const venue = page.getByLabel('Venue', { exact: true });
    assert.deepEqual(await venue.locator('option').allInnerTexts(), ['all venues', 'okx', 'hyperliquid', 'hyperliquid, measured']);
    assert.equal(server.asked.includes('/v1/measured'), false);
    await venue.selectOption('hyperliquid, measured');
    await page.waitForURL(/symbol=BTCUSDT@hyperliquid:measured/);
    await footSays(
        page,
        /^Measured: 51 % of longs, 47 % of shorts · positions of 2,506 accounts · bin \$100 · column 5 min · times in UTC$/,
    );
    await shown(page);
    assert.equal(await page.locator('#chart').getAttribute('aria-label'), 'Measured liquidation levels over time and price');
    assert.equal(await page.locator('#leverages').isVisible(), false, 'there are no leverages');
    assert.equal(await page.getByRole('button', { name: 'Map', exact: true }).isDisabled(), true);
    assert.equal(await page.locator('#banner').isVisible(), false, 'no model is warming up');
    await page.keyboard.press('m');
    assert.match(page.url(), /view=heatmap/);
    await page.goBack();
    await footSays(page, /^Estimated liquidation levels/);
    assert.equal(await venue.inputValue(), '');
    assert.equal(await page.getByRole('button', { name: 'Map', exact: true }).isDisabled(), false);
    await page.goForward();
    await footSays(page, /^Measured/);
    assert.equal(await venue.inputValue(), 'hyperliquid:measured');
    assert.deepEqual([refused, complaints], [[], []]);
    await page.context().close();
});

test('the tooltip says the coverage of its column; where nothing was measured it says that', async () => {
    const { page } = await open(browser, `${url}/${ADDRESS}`);
    const refused = refusals(page);
    await shown(page);
    const newest = await pointAt(page, 0.8, 0.3);
    assert.match(newest, /Measured\s+5\d % of longs, 4\d % of shorts/);
    assert.equal(newest.includes('100x'), false);
    // The last twelve hours have eight ninths of the width, and candles all along.
    const hole = await pointAt(page, (1 - 4.25 / 12) * 0.85, 0.3);
    assert.match(hole, /Measured\s+nothing at this time/);
    assert.match(hole, /Long\s+–/);
    assert.equal(server.asked.includes('/liquidations/levels'), false);
    assert.deepEqual(refused, []);
    await page.context().close();
});

test('states come over the socket; how much is measured is asked for when another layer is stored', async () => {
    const { page } = await open(browser, `${url}/${ADDRESS}`);
    await shown(page);
    await footSays(page, /2,506 accounts/);
    const asked = (path: string): number => server.asked.filter((each) => each === path).length;
    const [grids, facts] = [asked('/v1/heatmap/history'), asked('/v1/measured')];
    assert.equal(facts, 1);
    const columns = (): Promise<number> => page.evaluate(() => Number(document.getElementById('chart')?.dataset.columns));
    const before = await columns();
    await page.clock.install();
    // The facts are 12 seconds older than the state that they were asked for.
    for (let minute = 0; minute < 4; minute++) server.advance();
    await page.waitForFunction(
        (asOf) => document.getElementById('chart')?.dataset.asOf === String(asOf),
        server.markets.get('BTCUSDT')?.asOf(),
    );
    assert.equal(asked('/v1/measured'), facts, 'the same layer is asked for once');
    server.trouble.measured = 'uncovered';
    await page.clock.fastForward(20_000);
    server.advance();
    server.advance();
    await footSays(page, /^Measured: an unknown share of open interest/);
    assert.equal(asked('/v1/measured'), facts + 1);
    assert.equal(await columns(), before + 1);
    assert.equal(asked('/v1/heatmap/history'), grids, 'the picture goes on by itself');
    await page.context().close();
});

test('the past is walked in tiles of five minutes, with the candles of the market', async () => {
    const { page, complaints } = await open(browser, `${url}/${ADDRESS}`);
    const refused = refusals(page);
    await shown(page);
    const start = (): Promise<number> => page.evaluate(() => Number(document.getElementById('chart')?.dataset.start));
    const base = await start();
    for (let n = 0; n < 3; n++) await page.keyboard.press('ArrowLeft');
    await page.waitForFunction((base) => Number(document.getElementById('chart')?.dataset.start) < base, base);
    assert.equal(await page.evaluate(() => document.getElementById('chart')?.dataset.columnMs), '300000');
    const tile = server.tiles.at(-1) ?? assert.fail('no tile');
    assert.equal(tile.get('symbol'), LAYER);
    assert.equal((Number(tile.get('to')) - Number(tile.get('from'))) / Number(tile.get('columns')), 300_000);
    // Before anything was measured there are candles, and no levels.
    assert.match(await pointAt(page, 0.1, 0.3), /Measured\s+nothing at this time/);
    await page.keyboard.press('[');
    await footSays(page, /^Measured: 5\d % of longs, 4\d % of shorts · bin/);
    await page.keyboard.press('n');
    await footSays(page, /2,506 accounts/);
    assert.deepEqual([refused, complaints], [[], []]);
    await page.context().close();
});

test('measured and estimated stand side by side, from the panel and from the search', async () => {
    const { page, complaints } = await open(browser, `${url}/${ADDRESS}&panel=measured`);
    await shown(page);
    await page.getByRole('button', { name: 'Side by side' }).click();
    await page.waitForURL(/charts=BTCUSDT@hyperliquid(&|$)/);
    const frame = await (await page.waitForSelector('iframe[title="Chart of BTCUSDT@hyperliquid"]')).contentFrame();
    await frame
        ?.locator('#foot')
        .filter({ hasText: /^Estimated liquidation levels/ })
        .waitFor();
    await page.getByRole('button', { name: 'Side by side' }).click();
    await page.waitForFunction(() => document.querySelector('iframe') === null);
    await page.getByRole('button', { name: 'Estimate over time' }).click();
    await footSays(page, /^Estimated/);
    await page.keyboard.press('h');
    await page.locator('#search-text').fill('measured');
    await page.keyboard.press('Enter');
    const beside = await (await page.waitForSelector(`iframe[title="Chart of ${LAYER}"]`)).contentFrame();
    await beside
        ?.locator('#foot')
        .filter({ hasText: /^Measured: 51 %/ })
        .waitFor();
    await page.getByRole('button', { name: `Close the chart of ${LAYER}` }).click();
    await page.getByRole('button', { name: 'Measured over time' }).click();
    await footSays(page, /^Measured/);
    // Other panels are about the market.
    await page.keyboard.press('v');
    await page.getByRole('heading', { name: 'Liquidations BTCUSDT@hyperliquid', exact: true }).waitFor();
    await page.keyboard.press('i');
    await page.getByRole('heading', { name: 'Accuracy BTCUSDT@hyperliquid', exact: true }).waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('exports say that they are of measured positions, and of how many of the market', async () => {
    const { page } = await open(browser, `${url}/${ADDRESS}&hide=5,100`);
    await shown(page);
    await page.evaluate(() => {
        const drawn: string[] = [];
        const fillText = CanvasRenderingContext2D.prototype.fillText;
        CanvasRenderingContext2D.prototype.fillText = function (text, ...rest) {
            drawn.push(text);
            document.documentElement.dataset.drawn = drawn.join('|');
            fillText.call(this, text, ...rest);
        };
    });
    const [picture] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('s')]);
    assert.match(picture.suggestedFilename(), /^liqheat-BTCUSDT-hyperliquid-measured-12h-/);
    const drawn = await page.evaluate(() => document.documentElement.dataset.drawn ?? '');
    assert.match(drawn, /Measured positions 12h · 51 % of longs, 47 % of shorts · hyperliquid · /);
    assert.equal(drawn.includes('without 5x'), false, 'nothing is hidden by leverage');
    await page.getByRole('button', { name: 'Export' }).click();
    const [levels] = await Promise.all([page.waitForEvent('download'), page.getByRole('button', { name: 'Levels as JSON' }).click()]);
    const body = JSON.parse(await readFile(await levels.path(), 'utf8')) as Record<string, unknown>;
    assert.deepEqual([body.symbol, body.coverage_long, body.coverage_short], [LAYER, 0.512, 0.468]);
    await page.context().close();
});

test('a layer that has nothing yet says so, and a server without layers opens another symbol', async () => {
    server.trouble.withoutState = LAYER;
    const { page } = await open(browser, `${url}/${ADDRESS}`);
    await page.getByText(`No state of ${LAYER} yet`).waitFor();
    await page.context().close();
    server.trouble.withoutState = '';
    server.trouble.measured = 'off';
    const { page: other } = await open(browser, `${url}/${ADDRESS}`);
    await other.getByText(`${LAYER} is not served here; this is BTCUSDT.`).waitFor();
    await shown(other);
    assert.equal(
        (await other.getByLabel('Venue', { exact: true }).locator('option').allInnerTexts()).includes('hyperliquid, measured'),
        false,
    );
    await other.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing in the picture of measured positions at ${width} width`, async () => {
        for (const theme of ['dark', 'light']) {
            const { page } = await open(browser, `${url}/${ADDRESS}&theme=${theme}`, { bypassCSP: true, ...options });
            await shown(page);
            await footSays(page, /^Measured: 51 %/);
            assert.deepEqual(await axe(page), [], theme);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            if (process.env.SHOTS !== undefined) await page.screenshot({ path: `${process.env.SHOTS}/layer-${width}-${theme}.png` });
            await page.context().close();
        }
    });
}
