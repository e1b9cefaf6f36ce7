/** The panel of measured positions: coverage, the picture beside the estimate, the closest ones, and servers without them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { axe, open, PHONE, painted, pixelsLike, shown } from './browser.ts';
import { browser, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 0 }, ({ trouble }) => {
    trouble.measured = 'live';
});

const ADDRESS = '?symbol=BTCUSDT&range=12h&panel=measured';

/** Cells of the table of both sides, by the name of the row. */
async function sides(page: Page, name: string): Promise<string[]> {
    const row = page.locator('#panel .totals tbody tr', { has: page.getByRole('rowheader', { name, exact: true }) });
    return row.locator('td').allInnerTexts();
}

test('coverage comes first, the estimate stands beside, and the closest positions lead to their price', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    assert.equal(server.asked.includes('/v1/measured'), false, 'nothing is asked for before the panel is opened');
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Measured', exact: true }).click();
    await page.waitForURL(/panel=measured/);
    await page.waitForSelector('#panel .closest');
    await page.getByRole('heading', { name: 'Measured BTCUSDT' }).waitFor();
    assert.deepEqual(await sides(page, 'Coverage'), ['51 %', '47 %']);
    assert.deepEqual(await sides(page, 'Positions'), ['$421.00M', '$385.00M']);
    assert.deepEqual(await sides(page, 'Accounts'), ['1,812', '694']);
    assert.deepEqual(await sides(page, 'Without a level'), ['31 %', '12 %']);
    assert.deepEqual(await sides(page, 'Older than 5 min'), ['62 %', '24 %']);
    assert.deepEqual(await sides(page, 'Older than 60 min'), ['1.6 %', '0.6 %']);
    const text = await page.locator('#panel').innerText();
    assert.match(text, /hyperliquid, as of 28 Dec 14:29 UTC, 12 s old/);
    assert.match(text, /31,204 accounts are known\./);
    assert.match(text, /never added: .* measured positions are 51 % of the longs and 47 % of the shorts\. Both sides have one scale\./);
    const picture = page.getByRole('img', { name: /^Liquidation levels within 15 % of the price\. Measured: \$.*; estimate: \$/ });
    await picture.waitFor();
    // Of every third level a half is measured, so together they are about a sixth of the estimate.
    const width = (opacity: string): Promise<number> =>
        picture
            .locator(`rect[opacity="${opacity}"]`)
            .evaluateAll((bars) => bars.reduce((sum, bar) => sum + Number(bar.getAttribute('width')), 0));
    const [measured, estimated] = [await width('1'), await width('0.55')];
    assert.ok(estimated > 0 && Math.abs(measured / estimated - 1 / 6) < 0.08, `${measured} beside ${estimated}`);
    await page.locator('#panel .panel-body:visible').getByLabel('Distance from the price').selectOption('0.05');
    await page.getByRole('img', { name: /within 5 % of the price/ }).waitFor();
    const first = page.locator('#panel .closest tbody tr').first();
    assert.match(await first.innerText(), /^(Long|Short)\s+[\d,]+(\.\d+)?\s+[\d.]+[KM]?\s+[+−]\d\.\d\d %\s+\d+ (s|min)$/);
    assert.equal((await page.locator('#panel').innerText()).includes('0x'), false);
    // The line at the price has the colour of the axis.
    const line = (): Promise<number> => pixelsLike(page, [0x93, 0xa0, 0xb0], 6);
    const without = await line();
    await first.getByRole('button').click();
    await painted(page);
    assert.ok((await line()) > without + 100, `${await line()} pixels after ${without}`);
    await page.keyboard.press('j');
    await page.waitForSelector('#panel', { state: 'hidden' });
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('it is read every 15 seconds while it is open, also when the market stands still, and says when that fails', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    await page.clock.install();
    await page.keyboard.press('j');
    await page.waitForSelector('#panel .closest');
    server.trouble.measured = 'uncovered';
    await page.clock.fastForward(16_000);
    await page.getByText('measured positions are a part of it that is unknown').waitFor();
    assert.deepEqual(await sides(page, 'Coverage'), ['unknown', 'unknown']);
    server.trouble.measured = 'waiting';
    await page.clock.fastForward(16_000);
    await page.getByText('Not refreshed: no measured positions of BTCUSDT@hyperliquid:measured yet').waitFor();
    assert.equal(await page.locator('#panel .closest').count(), 1, 'what was read before stays');
    const asked = (): number => server.asked.filter((path) => path === '/v1/measured').length;
    await page.keyboard.press('j');
    await page.waitForSelector('#panel', { state: 'hidden' });
    const before = asked();
    await page.clock.fastForward(60_000);
    await page.keyboard.press('i');
    await page.waitForSelector('#panel .scores');
    assert.equal(asked(), before, 'a closed panel asks for nothing');
    await page.context().close();
});

test('accounts are named where the server names them, and the past has levels alone', async () => {
    server.trouble.showsAddresses = true;
    const { page } = await open(browser, `${url}/${ADDRESS}`);
    await shown(page);
    await page.locator('#panel .closest tbody tr').first().getByText('0x7777…7770').waitFor();
    await page.keyboard.press('[');
    await page.getByText('Single positions of the past are not stored.').waitFor();
    assert.equal((await page.locator('#panel').innerText()).includes(' old'), false);
    await page.keyboard.press('n');
    await page.waitForSelector('#panel .closest');
    await page.context().close();
});

test('a server without measured positions has no button, and the panel says how to switch them on', async () => {
    server.trouble.measured = 'off';
    const { page, complaints } = await open(browser, `${url}/${ADDRESS}`);
    await shown(page);
    await page.getByText('This server does not measure positions. Start it with --hyperliquid-measured').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Measured' }).count(), 0);
    assert.equal(server.asked.includes('/v1/measured'), false);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('another symbol than the measured ones has no button, and the panel names those', async () => {
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=12h&panel=measured`);
    await shown(page);
    await page.getByText('Positions of ETHUSDT are not measured. Measured here: BTCUSDT@hyperliquid.').waitFor();
    assert.equal(await page.getByRole('button', { name: 'Measured' }).count(), 0);
    await page.getByLabel('Symbol', { exact: true }).selectOption('BTCUSDT');
    await page.waitForSelector('#panel .closest');
    await page.getByRole('button', { name: 'Measured', exact: true }).waitFor();
    await page.context().close();
});

test('without an estimate the measured positions stand alone, and the panel says why', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    const json = { detail: 'BTCUSDT@hyperliquid has no state yet' };
    await page.route('**/v1/map?*', (route) => route.fulfill({ status: 503, json }));
    await page.keyboard.press('j');
    await page.getByText('The estimate is not there: BTCUSDT@hyperliquid has no state yet').waitFor();
    const picture = page.getByRole('img', { name: /^Liquidation levels within 15 % of the price\. Measured: [^;]*$/ });
    assert.ok((await picture.locator('rect[opacity="1"]').count()) > 5);
    assert.equal(await picture.locator('rect[opacity="0.55"]').count(), 0);
    await page.context().close();
});

test('a server that has just begun says so', async () => {
    server.trouble.measured = 'waiting';
    const { page } = await open(browser, `${url}/${ADDRESS}`);
    await page.getByText('no measured positions of BTCUSDT@hyperliquid:measured yet').waitFor();
    await page.context().close();
    server.trouble.measured = 'empty';
    const { page: later } = await open(browser, `${url}/${ADDRESS}`);
    await later.getByText('No positions are measured yet').waitFor();
    await later.getByText('31,204 wait for their next look').waitFor();
    assert.equal(await later.locator('#panel svg[role="img"]').count(), 0);
    await later.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing in the panel of measured positions at ${width} width`, async () => {
        server.trouble.showsAddresses = true;
        for (const theme of ['dark', 'light']) {
            const { page } = await open(browser, `${url}/${ADDRESS}&theme=${theme}`, { bypassCSP: true, ...options });
            await shown(page);
            await page.waitForSelector('#panel .closest');
            assert.deepEqual(await axe(page), [], theme);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            const tabs = await page.locator('#panel .tabs').evaluate(({ scrollWidth, clientWidth }) => scrollWidth <= clientWidth);
            assert.ok(tabs, 'the tabs fit their line');
            if (process.env.SHOTS !== undefined) await page.screenshot({ path: `${process.env.SHOTS}/measured-${width}-${theme}.png` });
            await page.context().close();
        }
    });
}
