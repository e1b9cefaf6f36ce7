/** Alerts in the page: set from walls, the chart and the tape, changed, refused, raised, and noticed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { axe, open, PHONE, shown } from './browser.ts';
import { browser, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 0 });

const sweep = (id: string, symbol = 'BTCUSDT'): Record<string, unknown> => ({
    id,
    rule: 'swept-10m',
    symbol,
    time: '2025-12-28T14:30:00Z',
    price: 98_000,
    quiet: false,
    subject: {
        kind: 'wall_swept',
        wall: { side: 'long', low: 97_800, high: 98_000, peak: 97_900, usd: 53_140_000 },
        touched: '2025-12-28T14:29:00Z',
        liquidated: { usd: 12_300_000, count: 40 },
    },
    count: 1,
    total_usd: 53_140_000,
});

/** Replaces what makes sounds and notifications by something that counts. */
async function listened(page: Page): Promise<void> {
    await page.addInitScript(() => {
        const heard = { tones: 0, notes: [] as string[] };
        Object.assign(window, { heard });
        const start = OscillatorNode.prototype.start;
        OscillatorNode.prototype.start = function (...times): void {
            heard.tones += 1;
            start.apply(this, times);
        };
        class Note {
            static permission = 'granted';
            static requestPermission = (): Promise<string> => Promise.resolve('granted');
            constructor(title: string, { body }: { body: string }) {
                heard.notes.push(`${title} ${body}`);
            }
        }
        Object.assign(window, { Notification: Note });
    });
    await page.reload();
    await shown(page);
}

const heard = (page: Page): Promise<{ tones: number; notes: string[] }> =>
    page.evaluate(() => (window as unknown as { heard: { tones: number; notes: string[] } }).heard);

test('a bell beside a wall proposes a rule; it is set, paused, resumed and deleted on the server', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=walls`);
    await shown(page);
    await page.locator('#panel .walls .bell').first().click();
    await page.waitForURL(/panel=alerts/);
    assert.equal(await page.getByLabel('Kind of alert').inputValue(), 'near_wall');
    assert.match(await page.getByLabel('At least, USD').inputValue(), /^\d+(\.\d)?[KMB]$/);
    await page.getByLabel('Within, %').fill('0.7');
    await page.getByRole('button', { name: 'Set alert' }).click();
    const item = page.locator('#panel .item', { hasText: 'near_wall-BTCUSDT' });
    await item.waitFor();
    assert.match(await item.innerText(), /BTCUSDT: price within 0\.7 % of a (long|short) wall of \$[\d.]+[KMB] or more/);
    const [rule] = server.rules;
    assert.deepEqual([rule?.kind, rule?.within_pct, rule?.symbols], ['near_wall', 0.7, ['BTCUSDT']]);
    await page.getByRole('button', { name: 'Pause near_wall-BTCUSDT' }).click();
    await page.getByRole('button', { name: 'Resume near_wall-BTCUSDT' }).waitFor();
    assert.equal(server.rules[0]?.paused, true);
    await page.getByRole('button', { name: 'Resume near_wall-BTCUSDT' }).click();
    await page.getByRole('button', { name: 'Pause near_wall-BTCUSDT' }).waitFor();
    assert.equal(server.rules[0]?.paused, false);
    await page.getByRole('button', { name: 'Delete near_wall-BTCUSDT' }).click();
    await item.waitFor({ state: 'detached' });
    assert.equal(server.rules.length, 0);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('an invalid amount is named in the form, and a refusal of the server keeps what was typed', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=tape`);
    await shown(page);
    await page.getByLabel('Least size').selectOption('1000000');
    await page.getByRole('button', { name: 'Alert on liquidations of this size' }).click();
    assert.equal(await page.getByLabel('Kind of alert').inputValue(), 'liquidation');
    assert.equal(await page.getByLabel('At least, USD').inputValue(), '1.0M');
    await page.getByLabel('At least, USD').fill('lots');
    await page.getByRole('button', { name: 'Set alert' }).click();
    await page.getByText('must be dollars, such as 25M').waitFor();
    await page.getByLabel('At least, USD').fill('2.5m');
    server.trouble.rulesRefused = 'without tokens only this machine may change anything';
    await page.getByRole('button', { name: 'Set alert' }).click();
    await page.getByText('without tokens only this machine may change anything').waitFor();
    assert.equal(await page.getByLabel('At least, USD').inputValue(), '2.5M');
    assert.equal(server.rules.length, 0);
    server.trouble.rulesRefused = '';
    await page.getByRole('button', { name: 'Set alert' }).click();
    await page.locator('#panel .item', { hasText: 'one liquidation of $2.5M or more' }).waitFor();
    assert.equal(server.rules[0]?.min_usd, 2_500_000);
    await page.context().close();
});

test("a rule of the server's file is listed and says why it cannot be changed here", async () => {
    server.rules.push({ source: 'file', name: 'night', kind: 'cascade', min_usd: 20_000_000, window_s: 300 });
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=alerts`);
    const item = page.locator('#panel .item', { hasText: 'night' });
    await item.waitFor();
    assert.match(await item.innerText(), /every symbol: liquidations of \$20M or more within 5 min[\s\S]*from the server's file/);
    assert.equal(await item.getByRole('button').count(), 0);
    await page.context().close();
});

test('what is raised while the page is open rings once, by card, sound and notification, and leads to its place', async () => {
    server.raised.push(sweep('old'));
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d`);
    await listened(page);
    await page.keyboard.press('b');
    await page.locator('#panel .item', { hasText: 'swept-10m' }).waitFor();
    await page.getByLabel('Notification of the browser').check();
    assert.equal(await page.locator('#cards .card').count(), 0, 'what is older than the page does not ring');
    assert.equal((await heard(page)).tones, 0);
    server.raised.push(sweep('new'));
    // Opened again, the panel reads at once.
    await page.keyboard.press('b');
    await page.keyboard.press('b');
    const card = page.locator('#cards .card');
    await card.waitFor();
    assert.match(await card.innerText(), /BTCUSDT Price went through a long wall of \$53M at 97,800 – 98,000; \$12M liquidated there/);
    const { tones, notes } = await heard(page);
    assert.equal(tones, 2);
    assert.match(notes.join(), /^BTCUSDT Price went through/);
    await card.getByText('Price went through').click();
    await page.waitForURL(/symbol=BTCUSDT/);
    assert.equal(await card.count(), 0);
    await page.context().close();
});

test('silence is kept: with the volume at zero and no card nothing shows or sounds', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=alerts`);
    await listened(page);
    await page.getByLabel('Card on the page').uncheck();
    await page.getByLabel('Volume of the sound').fill('0');
    await page.keyboard.press('Escape');
    server.raised.push(sweep('new'));
    await page.getByRole('button', { name: 'Walls', exact: true }).click();
    await page.getByRole('button', { name: 'Alerts', exact: true }).click();
    await page.locator('#panel .item', { hasText: 'swept-10m' }).waitFor();
    assert.equal(await page.locator('#cards .card').count(), 0);
    assert.equal((await heard(page)).tones, 0);
    await page.context().close();
});

test('a right click proposes the price there; it is drawn, reached once by the market, and survives a reload', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    const box = (await page.locator('#chart').boundingBox()) ?? assert.fail('no chart');
    await page.mouse.click(box.x + box.width * 0.4, box.y + box.height * 0.3, { button: 'right' });
    await page.waitForURL(/panel=alerts/);
    await page.getByLabel('Kind of alert').selectOption('price');
    assert.ok(Number(await page.getByLabel('Price', { exact: true }).inputValue()) > 90_000);
    const close = server.markets.get('BTCUSDT')?.newest().close ?? 0;
    // Whichever way the market goes, it passes one of them.
    for (const [at, price] of [close * 1.000001, close * 0.999999].entries()) {
        if (at > 0) await page.getByRole('button', { name: 'New' }).click();
        await page.getByLabel('Kind of alert').selectOption('price');
        await page.getByLabel('Price', { exact: true }).fill(price.toFixed(4));
        await page.getByRole('button', { name: 'Set alert' }).click();
        await page.waitForFunction((count) => document.querySelectorAll('#panel .item').length === count, at + 1);
    }
    assert.equal(await page.locator('#cards .card').count(), 0);
    server.advance();
    await page.locator('#cards .card', { hasText: 'BTCUSDT reached 9' }).waitFor();
    await page.locator('#panel .item', { hasText: /reached \d+ s ago/ }).waitFor();
    assert.equal(await page.locator('#panel .item', { hasText: 'waiting' }).count(), 1);
    await page.reload();
    await shown(page);
    assert.equal(await page.locator('#panel .item', { hasText: 'waiting' }).count(), 1);
    await page
        .getByRole('button', { name: /^Delete BTCUSDT at/ })
        .first()
        .click();
    await page.waitForFunction(() => document.querySelectorAll('#panel .item').length === 1);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('on a phone a tap and New propose the place that was tapped', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=alerts`, PHONE);
    await shown(page);
    const box = (await page.locator('#chart').boundingBox()) ?? assert.fail('no chart');
    await page.touchscreen.tap(box.x + box.width * 0.4, box.y + box.height * 0.5);
    await page.waitForSelector('#tip:not([hidden])');
    await page.getByRole('button', { name: 'New' }).tap();
    await page.getByLabel('Kind of alert').selectOption('liquidation');
    await page.getByLabel('Symbols').selectOption('all');
    await page.getByRole('button', { name: 'Set alert' }).tap();
    await page.locator('#panel .item', { hasText: 'liquidation-all' }).waitFor();
    for (const button of await page.locator('#panel .item button').all()) {
        const size = await button.boundingBox();
        assert.ok((size?.height ?? 0) >= 44, 'a finger needs 44 px');
    }
    await page.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing in the panel of alerts at ${width} width`, async () => {
        server.rules.push(
            { source: 'api', name: 'a', kind: 'feed_stale', paused: true },
            { source: 'file', name: 'b', kind: 'liquidation', min_usd: 5e5 },
        );
        server.raised.push(sweep('old'));
        for (const theme of ['dark', 'light']) {
            const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&theme=${theme}`, { bypassCSP: true, ...options });
            await shown(page);
            server.raised.push(sweep(`new ${theme}`));
            await page.keyboard.press('b');
            await page.locator('#cards .card').waitFor();
            await page.getByRole('button', { name: 'New' }).click();
            assert.deepEqual(await axe(page), [], theme);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            if (process.env.SHOTS !== undefined) await page.screenshot({ path: `${process.env.SHOTS}/alerts-${width}-${theme}.png` });
            await page.context().close();
        }
    });
}
