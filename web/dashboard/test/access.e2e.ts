/** A server that asks for tokens: by link, by form, kept or not, renewed in place, and refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { axe, badgeSays, open, PHONE, shown } from './browser.ts';
import { browser, server, setUp, url } from './set-up.ts';

/** A JWT that expires after this many milliseconds. */
function tokenFor(ms: number, name = 'x'): string {
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    return `${part({ alg: 'HS256' })}.${part({ exp: Math.floor((Date.now() + ms) / 1000), sub: name })}.c2ln`;
}

setUp({ everyMs: 0 }, (server) => {
    server.trouble.token = tokenFor(3_600_000);
});

const stored = (page: Page): Promise<{ tab: string | null; device: string | null }> =>
    page.evaluate(() => ({ tab: sessionStorage.getItem('liqheat.token'), device: localStorage.getItem('liqheat.token') }));

test('a token in the address opens the page, leaves the address at once, and is kept for the tab only', async () => {
    const { token } = server.trouble;
    const { page, complaints } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h#token=${token}`);
    await shown(page);
    assert.ok(!page.url().includes('token'), page.url());
    assert.deepEqual(await stored(page), { tab: token, device: null });
    await badgeSays(page, 'Replay');
    assert.ok(server.protocols().every((offered) => offered.includes(`bearer.${token}`)));
    await page.reload();
    await shown(page);
    const other = await page.context().newPage();
    await other.goto(`${url}/?symbol=BTCUSDT&range=12h`);
    await other.waitForSelector('#login[open]');
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('without a token a form asks for one; a wrong one is named, the right one opens the page, kept when asked', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h`);
    await page.waitForSelector('#login[open]');
    assert.equal(await page.locator('#login-why').innerText(), 'a token is required');
    await page.getByLabel('Token', { exact: true }).and(page.locator('input')).fill('wrong');
    await page.getByRole('button', { name: 'Continue' }).click();
    await page.getByText('the token has expired').waitFor();
    await page.keyboard.press('Escape');
    await page.getByText('A token is needed').waitFor();
    await page.getByRole('button', { name: 'Enter a token' }).click();
    await page.getByLabel('Token', { exact: true }).and(page.locator('input')).fill(` Bearer ${server.trouble.token} `);
    await page.getByLabel('Keep it on this device').check();
    await page.getByRole('button', { name: 'Continue' }).click();
    await shown(page);
    assert.equal((await stored(page)).device, server.trouble.token);
    const other = await page.context().newPage();
    await other.goto(`${url}/?symbol=BTCUSDT&range=12h`);
    await shown(other);
    await page.context().close();
});

test('another token in the address renews the open socket in place', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h#token=${server.trouble.token}`);
    await shown(page);
    await badgeSays(page, 'Replay');
    const sockets = server.protocols().length;
    const next = tokenFor(3_600_000, 'next');
    server.trouble.token = next;
    await page.evaluate((token) => {
        location.hash = `token=${token}`;
    }, next);
    await page.waitForFunction((token) => sessionStorage.getItem('liqheat.token') === token, next);
    server.advance();
    await page.waitForFunction(() => !location.href.includes('token'));
    assert.deepEqual(
        server.received.find(({ action }) => action === 'token'),
        { action: 'token', token: next },
    );
    assert.equal(server.protocols().length, sockets, 'no new socket');
    await page.context().close();
});

test('when the token is revoked the page asks for another one and goes on with it', async () => {
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h#token=${server.trouble.token}`);
    await shown(page);
    await badgeSays(page, 'Replay');
    server.trouble.token = tokenFor(3_600_000, 'next');
    server.close(1008, 'token expired');
    await page.waitForSelector('#login[open]');
    await page.getByLabel('Token', { exact: true }).and(page.locator('input')).fill(server.trouble.token);
    await page.getByRole('button', { name: 'Continue' }).click();
    await badgeSays(page, 'Replay');
    await page.context().close();
});

test('shortly before a token expires the page asks for another one', async () => {
    server.trouble.token = tokenFor(62_000);
    const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h#token=${server.trouble.token}`);
    await shown(page);
    await page.getByText(/The present one expires at .* UTC\./).waitFor();
    await page.context().close();
});

test('axe finds nothing in the form for a token', async () => {
    for (const [name, options] of [
        ['desktop', {}],
        ['phone', PHONE],
    ] as const) {
        for (const theme of ['dark', 'light']) {
            const { page } = await open(browser, `${url}/?symbol=BTCUSDT&range=12h&theme=${theme}`, { bypassCSP: true, ...options });
            await page.waitForSelector('#login[open]');
            assert.deepEqual(await axe(page), [], `${name} ${theme}`);
            const box = await page.locator('#login').boundingBox();
            const { width } = page.viewportSize() ?? assert.fail('no size');
            assert.ok(box !== null && box.x >= 0 && box.x + box.width <= width, 'the form is on the screen');
            if (process.env.SHOTS !== undefined) await page.screenshot({ path: `${process.env.SHOTS}/login-${name}-${theme}.png` });
            await page.context().close();
        }
    }
});
