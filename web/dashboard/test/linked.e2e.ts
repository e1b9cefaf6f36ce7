/** Up to four charts side by side: one cross, the same settings, and each symbol or venue of its own. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Frame, Page } from 'playwright-core';
import { axe, open, PHONE, painted, shown } from './browser.ts';
import { browser, setUp, url } from './set-up.ts';

setUp({ everyMs: 0, tiny: true, venues: ['okx', 'bybit'] });

async function frameOf(page: Page, symbol: string): Promise<Frame> {
    const frame = await (await page.waitForSelector(`iframe[title="Chart of ${symbol}"]`)).contentFrame();
    assert.ok(frame !== null);
    await frame.waitForFunction(() => {
        const data = document.getElementById('chart')?.dataset;
        return Number(data?.columns ?? 0) > 0 && (data?.asOf ?? '') !== '';
    });
    return frame;
}

test('a chart is added by typing, follows the settings, and is closed again; the address has it', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await shown(page);
    await page.keyboard.press('h');
    await page.locator('#search-text').fill('@okx');
    await page.keyboard.press('Enter');
    await page.waitForURL(/charts=BTCUSDT@okx/);
    const frame = await frameOf(page, 'BTCUSDT@okx');
    assert.match(frame.url(), /symbol=BTCUSDT@okx.*embed=1/);
    await page.keyboard.press('t');
    await frame.waitForFunction(() => document.documentElement.dataset.theme === 'light');
    await page.getByRole('button', { name: '24h' }).click();
    await frame.waitForURL(/range=24h/);
    assert.match(frame.url(), /symbol=BTCUSDT@okx/);
    await page.reload();
    await shown(page);
    await frameOf(page, 'BTCUSDT@okx');
    await page.getByRole('button', { name: 'Close the chart of BTCUSDT@okx' }).click();
    await page.waitForFunction(() => document.querySelector('iframe') === null && !location.search.includes('charts'));
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('one cross: what is pointed at in a chart is marked in the others', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&charts=1000PEPEUSDT,BTCUSDT@okx`);
    await shown(page);
    const frames = [await frameOf(page, '1000PEPEUSDT'), await frameOf(page, 'BTCUSDT@okx')];
    for (const each of frames) {
        await each.evaluate(() => {
            window.addEventListener('message', ({ data }: MessageEvent<{ liqheat?: string; time?: number | null }>) => {
                if (data.liqheat === 'cross') document.documentElement.dataset.heard = String(data.time);
            });
        });
    }
    const box = (await page.locator('#chart').boundingBox()) ?? assert.fail('no chart');
    await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4);
    await page.mouse.move(box.x + box.width * 0.42, box.y + box.height * 0.4);
    for (const each of frames) await each.waitForFunction(() => Number(document.documentElement.dataset.heard) > 0);
    await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.4);
    const [first = assert.fail('no frame'), second = assert.fail('no frame')] = frames;
    const heardBy = (frame: Frame): Promise<string> => frame.evaluate(() => document.documentElement.dataset.heard ?? '');
    // The last move arrives at both.
    let heard = '';
    do {
        heard = await heardBy(first);
        await painted(page);
    } while (heard !== (await heardBy(first)) || heard !== (await heardBy(second)));
    for (const each of frames) assert.equal(await each.locator('#tip').isVisible(), false, 'the cross of another chart is no pointer');
    // And from a frame to its neighbours.
    const inner = (await page.locator('iframe').first().boundingBox()) ?? assert.fail('no frame');
    await page.mouse.move(inner.x + inner.width * 0.5, inner.y + inner.height * 0.5);
    await page.mouse.move(inner.x + inner.width * 0.3, inner.y + inner.height * 0.5);
    await second.waitForFunction((before) => {
        const now = document.documentElement.dataset.heard;
        return now !== before && Number(now) > 0;
    }, heard);
    await page.context().close();
});

test('a fourth frame is refused in words, and messages of strangers are not listened to', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&charts=ETHUSDT,1000PEPEUSDT,BTCUSDT@okx,BTCUSDT@bybit`);
    await shown(page);
    assert.equal(await page.locator('iframe').count(), 3);
    await page.keyboard.press('h');
    await page.getByText('At most 4 charts stand side by side.').waitFor();
    // A window that is neither frame nor parent, of the same origin.
    await page.evaluate(() => {
        window.postMessage({ liqheat: 'view', query: '?symbol=BTCUSDT&theme=light' }, '*');
        return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
    });
    assert.equal(await page.locator('html').getAttribute('data-theme'), 'dark');
    await page.context().close();
});

for (const [width, options] of [
    ['desktop', {}],
    ['phone', PHONE],
] as const) {
    test(`charts side by side fit and axe finds nothing at ${width} width`, async () => {
        const address = `${url}/?symbol=BTCUSDT&range=12h&charts=ETHUSDT,1000PEPEUSDT,BTCUSDT@okx`;
        const { page } = await open(browser, address, { bypassCSP: true, ...options });
        await shown(page);
        for (const symbol of ['ETHUSDT', '1000PEPEUSDT', 'BTCUSDT@okx']) {
            const frame = await frameOf(page, symbol);
            const height = await frame.evaluate(() => document.getElementById('chart')?.clientHeight ?? 0);
            assert.ok(height > 200, `${symbol}: ${height} px for the chart`);
        }
        assert.deepEqual(await axe(page), []);
        assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= document.documentElement.clientWidth));
        if (process.env.SHOTS !== undefined) await page.screenshot({ path: `${process.env.SHOTS}/linked-${width}.png` });
        await page.context().close();
    });
}
