/** The panel of accuracy: figures with intervals, too few events, throttled venues, and a server that grades nothing. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axe, open, PHONE, shown } from './browser.ts';
import { browser, server, setUp, url } from './set-up.ts';

setUp({ everyMs: 0 });

test('the score stands beside simpler predictors, by venue and period, and says what it rests on', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    assert.ok(((await page.locator('.tools').boundingBox())?.height ?? 99) < 50, 'the settings fit one line');
    await page.keyboard.press('p');
    await page.getByRole('button', { name: 'Accuracy' }).click();
    await page.getByRole('button', { name: 'Close the panel' }).click();
    await page.waitForSelector('#panel', { state: 'hidden' });
    await page.keyboard.press('i');
    await page.waitForURL(/panel=accuracy/);
    await page.waitForSelector('#panel .scores');
    const text = await page.locator('#panel').innerText();
    assert.match(text, /Better than everything simpler; the best of them is yesterday's map\./);
    assert.match(text, /6,300 liquidations in 105 of 154 graded hours/);
    assert.match(text, /binance reports only a part \(the largest liquidation of each second\)/);
    const [own] = await page.locator('#panel .scores tbody tr').allInnerTexts();
    assert.match(own ?? '', /This map\s+0\.20 \(0\.17 to 0\.23\)\s+2\.8 ×\s+80 of 100/);
    assert.equal((await page.locator('#panel').innerText()).includes('too narrow'), false);
    await page.getByLabel('Period').selectOption('1');
    await page.getByText('Intervals over hours of few days are too narrow.').first().waitFor();
    await page.getByLabel('Period').selectOption('30');
    await page.getByText('3 hours could not be graded').first().waitFor();
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('too few events give no figures', async () => {
    server.trouble.scored = false;
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&panel=accuracy`);
    await shown(page);
    await page.getByText('Not enough events yet: 7 of 100.').first().waitFor();
    assert.equal(await page.locator('#panel .scores').count(), 0);
    await page.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`axe finds nothing in the panel of accuracy at ${width} width`, async () => {
        for (const [theme, scored] of [
            ['dark', true],
            ['light', true],
            ['light', false],
        ] as const) {
            server.trouble.scored = scored;
            const address = `${url}/?symbol=BTCUSDT&range=12h&theme=${theme}&panel=accuracy`;
            const { page } = await open(browser, address, { bypassCSP: true, ...options });
            await shown(page);
            await page.waitForSelector('#panel h3');
            if (scored) await page.locator('#panel summary').first().click();
            assert.deepEqual(await axe(page), [], theme);
            assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
            if (process.env.SHOTS !== undefined)
                await page.screenshot({ path: `${process.env.SHOTS}/accuracy-${width}-${theme}-${scored}.png` });
            await page.context().close();
        }
    });
}
