/** The page as an installed one: it can be installed, opens without a connection, and is never an old one. */
import assert from 'node:assert/strict';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { launch, launchProfile, open, shown } from './browser.ts';
import { freePort } from './programs.ts';
import { StandInServer } from './stand-in-server.ts';

const BUILT = fileURLToPath(new URL('../../../dashboard/dist', import.meta.url));

let browser: Browser;
let dist: string;
let server: StandInServer;
let port: number;
let url: string;

async function serve(prefix = ''): Promise<void> {
    server = new StandInServer({ dist, port, prefix, everyMs: 0 });
    url = `${await server.start()}${prefix}`;
}

before(async () => {
    browser = await launch();
});

after(() => browser.close());

beforeEach(async () => {
    dist = mkdtempSync(join(tmpdir(), 'liqheat-dist-'));
    cpSync(BUILT, dist, { recursive: true });
    port = await freePort();
});

afterEach(async () => {
    await server.stop();
    rmSync(dist, { recursive: true });
});

/** Waits until the page is kept, in nothing but another cache than `before`: its service worker is in charge. */
async function kept(page: Page, before = ''): Promise<void> {
    await page.evaluate(async (before) => {
        const frame = (): Promise<unknown> => new Promise((done) => requestAnimationFrame(done));
        const { serviceWorker } = navigator;
        for (;;) {
            const names = await caches.keys();
            const { active } = await serviceWorker.ready;
            if (names.length === 1 && names[0] !== before && active?.state === 'activated' && serviceWorker.controller === active) return;
            await frame();
        }
    }, before);
}

function cacheNames(page: Page): Promise<string[]> {
    return page.evaluate(() => caches.keys());
}

test('a browser offers to install it', async () => {
    await serve();
    const profile = await launchProfile();
    try {
        const [page = await profile.context.newPage()] = profile.context.pages();
        await page.goto(url);
        await shown(page);
        await kept(page);
        const devtools = await profile.context.newCDPSession(page);
        const { errors, data } = await devtools.send('Page.getAppManifest');
        assert.deepEqual(errors, []);
        assert.equal(JSON.parse(data ?? '').name, 'liqheat');
        const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
        assert.deepEqual(installabilityErrors, []);
        const icons = await page.evaluate(async () => {
            const address = document.querySelector<HTMLLinkElement>('link[rel=manifest]')?.href ?? '';
            const manifest = await (await fetch(address)).json();
            return Promise.all(
                manifest.icons.map(async ({ src, sizes }: { src: string; sizes: string }) => {
                    const image = new Image();
                    image.src = new URL(src, address).href;
                    await image.decode();
                    return [sizes, sizes === 'any' ? 'any' : `${image.naturalWidth}x${image.naturalHeight}`];
                }),
            );
        });
        assert.equal(icons.length, 4);
        for (const [said, is] of icons) assert.equal(said, is);
    } finally {
        await profile.close();
    }
});

test('without a server it opens, says so, and fills when the server is back', async () => {
    await serve();
    const { page, complaints } = await open(browser, `${url}/?symbol=ETHUSDT&range=7d`);
    await shown(page);
    await kept(page);
    assert.deepEqual(complaints, []);
    await server.stop();
    await page.reload();
    await page.getByRole('heading', { name: 'No connection to the server' }).waitFor();
    assert.match(page.url(), /symbol=ETHUSDT/);
    assert.equal(await page.locator('#panel').count(), 1, 'it is the page');
    await page.context().setOffline(true);
    await page.reload();
    await page.getByText('This device is offline.').waitFor();
    await page.context().setOffline(false);
    await serve();
    await shown(page);
    assert.match(await page.title(), /ETHUSDT/);
    // Panels are loaded late; they are kept as well.
    await server.stop();
    await page.keyboard.press('x');
    await page.getByRole('heading', { name: /^Walls/ }).waitFor();
    await page.context().close();
});

test('nothing but the files of the page is kept', async () => {
    await serve();
    const { page } = await open(browser, url);
    await shown(page);
    await kept(page);
    const paths = await page.evaluate(async () => {
        const requests = await Promise.all((await caches.keys()).map(async (name) => (await caches.open(name)).keys()));
        return requests.flat().map(({ url }) => new URL(url).pathname);
    });
    assert.ok(paths.includes('/') && paths.some((path) => path.startsWith('/assets/')));
    assert.deepEqual(
        paths.filter((path) => /^\/(v1|prices|liquidations|ws)/.test(path)),
        [],
    );
    await page.context().close();
});

test('another version of the page is there at the next visit, also without a server', async () => {
    await serve();
    const { page } = await open(browser, url);
    await shown(page);
    await kept(page);
    const [before] = await cacheNames(page);
    const release = (place: Page): Promise<string | null> => place.locator('html').getAttribute('data-release');
    assert.equal(await release(page), null);
    // What a build with another page would have written.
    const index = join(dist, 'index.html');
    const worker = join(dist, 'sw.js');
    writeFileSync(index, readFileSync(index, 'utf8').replace('<html ', '<html data-release="2" '));
    const version = before?.split(' ').at(-1) ?? assert.fail('no cache');
    assert.match(version, /^[0-9a-f]{16}$/);
    writeFileSync(worker, readFileSync(worker, 'utf8').replace(version, 'f'.repeat(16)));
    for (const path of [index, worker]) rmSync(`${path}.br`);
    await page.reload();
    assert.equal(await release(page), '2', 'the first visit shows it');
    await kept(page, before);
    await server.stop();
    await page.reload();
    await page.getByRole('heading', { name: 'No connection to the server' }).waitFor();
    assert.equal(await release(page), '2');
    await page.context().close();
});

test('below a prefix it keeps what is below the prefix', async () => {
    await serve('/heat');
    const { page, complaints } = await open(browser, `${url}/`);
    await shown(page);
    await kept(page);
    const scope = await page.evaluate(async () => new URL((await navigator.serviceWorker.ready).scope).pathname);
    assert.equal(scope, '/heat/');
    await server.stop();
    await page.reload();
    await page.getByRole('heading', { name: 'No connection to the server' }).waitFor();
    assert.deepEqual(
        complaints.filter((text) => !/ERR_CONNECTION_REFUSED|WebSocket/.test(text)),
        [],
    );
    await page.context().close();
});

test('a frame in another page keeps nothing', async () => {
    await serve();
    const { page } = await open(browser, `${url}/?embed=1`);
    await shown(page);
    assert.equal(await page.evaluate(async () => (await navigator.serviceWorker.getRegistrations()).length), 0);
    await page.context().close();
});
