/** The watch list: rows that move with the markets, their order, adding and removing, and servers without sockets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { axe, open, PHONE, shown } from './browser.ts';
import { until } from './programs.ts';
import { browser, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 0, tiny: true });

const names = (page: Page): Promise<string[]> => page.locator('#panel .watched b').allTextContents();
const filled = (page: Page, count: number): Promise<unknown> =>
    page.waitForFunction((wanted) => document.querySelectorAll('#panel .watched-walls .long').length === wanted, count);

test('every symbol has price, change and nearest walls, the nearest first, and they move with the market', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    assert.equal(server.viewers(), 1);
    await page.keyboard.press('o');
    await page.waitForURL(/panel=watch/);
    await filled(page, 3);
    const far = (await page.locator('#panel .watched-walls').allInnerTexts()).map((text) =>
        Math.min(...[...text.matchAll(/[+−](\d+\.\d+) %/g)].map(([, percent]) => Number(percent))),
    );
    assert.deepEqual(
        far,
        [...far].sort((a, b) => a - b),
    );
    await page.getByLabel('Order').selectOption('name');
    assert.deepEqual(await names(page), ['1000PEPEUSDT', 'BTCUSDT', 'ETHUSDT']);
    const before = await page.locator('#panel .watched', { hasText: 'ETHUSDT' }).innerText();
    assert.match(before, /ETHUSDT\s+\d,\d+(\.\d+)?\s+[+−]\d+\.\d\d %\s+▼ −\d+\.\d\d % \$[\d.]+[KMB]\s+▲ \+\d+\.\d\d % \$[\d.]+[KMB]/);
    server.advance();
    await page.waitForFunction(
        (text) => [...document.querySelectorAll<HTMLElement>('#panel .watched')].every((row) => row.innerText !== text),
        before,
    );
    await page.locator('#panel .watched', { hasText: 'ETHUSDT' }).click();
    await page.waitForFunction(() => /^[\d,.]+ ETHUSDT/.test(document.title));
    assert.equal(await page.locator('#panel .watched[aria-current="true"] b').innerText(), 'ETHUSDT');
    await page.keyboard.press('x');
    await page.waitForSelector('#panel .walls');
    // Nobody looks any more.
    await until('one viewer', () => server.viewers() <= 1);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('symbols are removed and added again by typing, and the list outlives a reload', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=watch`);
    await shown(page);
    await filled(page, 3);
    await page.getByRole('button', { name: 'Do not watch 1000PEPEUSDT' }).click();
    await filled(page, 2);
    await page.reload();
    await shown(page);
    await filled(page, 2);
    await page.getByRole('button', { name: 'Add', exact: true }).click();
    await page.locator('#search-text').fill('pep');
    await page.keyboard.press('Enter');
    await filled(page, 3);
    assert.ok((await page.title()).includes('BTCUSDT'), 'adding opens nothing');
    await page.context().close();
});

test('a server without sockets is asked instead', async () => {
    Object.assign(server.trouble, { socketsOff: true, socketsOffAnnounced: true, polling: true });
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=watch`);
    await shown(page);
    await filled(page, 3);
    assert.equal(server.asked.filter((path) => path === '/v1/walls').length, 3);
    await page.context().close();
});

test('a price alert of a watched symbol that is not shown rings', async () => {
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d&panel=alerts`);
    await shown(page);
    const close = server.markets.get('ETHUSDT')?.newest().close ?? 0;
    for (const price of [close * 1.000001, close * 0.999999]) {
        await page.getByRole('button', { name: 'New' }).click();
        await page.getByLabel('Kind of alert').selectOption('price');
        await page.getByLabel('Price', { exact: true }).fill(price.toFixed(6));
        await page.getByRole('button', { name: 'Set alert' }).click();
    }
    await page.keyboard.press('o');
    await filled(page, 3);
    await page.locator('#panel .watched', { hasText: 'BTCUSDT' }).click();
    await page.waitForFunction(() => /^[\d,.]+ BTCUSDT/.test(document.title));
    server.advance('ETHUSDT');
    await page.locator('#cards .card', { hasText: 'ETHUSDT reached' }).waitFor();
    await page.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing in the watch list at ${width} width`, async () => {
        for (const theme of ['dark', 'light']) {
            const address = `${url}/?symbol=BTCUSDT&range=12h&theme=${theme}&panel=watch`;
            const { page } = await open(browser, address, { bypassCSP: true, ...options });
            await shown(page);
            await filled(page, 3);
            assert.deepEqual(await axe(page), [], theme);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            if (process.env.SHOTS !== undefined) await page.screenshot({ path: `${process.env.SHOTS}/watch-${width}-${theme}.png` });
            await page.context().close();
        }
    });
}
