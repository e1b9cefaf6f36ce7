// `npm run bench`: what a person waits for and sees in headless Chromium without a GPU, beside an empty page that does nothing but
// count frames on the same machine: frames per second while panning and zooming a picture of 1000 x 1000 cells, at two sizes and
// with four charts; how long until a leverage is hidden; and how long until the first picture over a slow line and on a slow
// processor.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const SECONDS = 5;
const VISITS = 3;
const SIZES = [
    { width: 1440, height: 900 },
    { width: 2560, height: 1440 },
];
/** As DevTools names it: 400 kbit/s, and 400 ms until an answer begins. */
const SLOW_3G = { offline: false, latency: 400, downloadThroughput: 50_000, uploadThroughput: 50_000 };
const SLOWER_CPU = 6;

if (!existsSync(join(web, 'dashboard/dist/index.html'))) spawnSync('npm', ['run', 'build'], { cwd: web, stdio: 'inherit' });
spawnSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'], { cwd: web, stdio: 'inherit' });
const { StandInServer } = await import('../.build/dashboard/test/stand-in-server.js');
const { launch, open, shown } = await import('../.build/dashboard/test/browser.js');

const dist = join(web, 'dashboard/dist');
const dense = new StandInServer({ dist, everyMs: 1000, cells: { columns: 1000, rows: 1000 } });
const denseUrl = await dense.start();
const usual = new StandInServer({ dist, everyMs: 1000 });
const usualUrl = await usual.start();
const browser = await launch();

/** Frames while nothing happens, the chart is dragged to and fro, or zoomed in and out. */
function countFrames(page, work) {
    return page.evaluate(
        ([seconds, work]) =>
            new Promise((done) => {
                const chart = document.querySelector('#chart table tr td:nth-child(2) canvas:last-of-type');
                const box = chart?.getBoundingClientRect();
                const event = (x) => ({
                    bubbles: true,
                    cancelable: true,
                    view: window,
                    clientX: x,
                    clientY: box.top + box.height / 2,
                    buttons: 1,
                });
                const gaps = [];
                const begin = performance.now();
                let last = begin;
                let x = box === undefined ? 0 : box.left + box.width / 2;
                let way = 1;
                let turns = 0;
                if (work === 'pan') chart.dispatchEvent(new MouseEvent('mousedown', event(x)));
                const frame = (now) => {
                    gaps.push(now - last);
                    last = now;
                    if (work === 'pan') {
                        x += 6 * way;
                        if (Math.abs(x - box.left - box.width / 2) > box.width / 4) way = -way;
                        document.documentElement.dispatchEvent(new MouseEvent('mousemove', event(x)));
                    } else if (work === 'zoom') {
                        turns += 1;
                        if (turns % 40 === 0) way = -way;
                        chart.dispatchEvent(new WheelEvent('wheel', { ...event(x), buttons: 0, deltaY: -20 * way }));
                    }
                    if (now - begin < seconds * 1000) requestAnimationFrame(frame);
                    else {
                        if (work === 'pan') chart.dispatchEvent(new MouseEvent('mouseup', event(x)));
                        gaps.sort((a, b) => a - b);
                        done({ fps: (gaps.length / (now - begin)) * 1000, p99: gaps[Math.floor(gaps.length * 0.99)] });
                    }
                };
                requestAnimationFrame(frame);
            }),
        [SECONDS, work],
    );
}

function say(what, { fps, p99 }) {
    console.log(`${what}: ${fps.toFixed(1)} fps, slowest 1 % of frames ${p99.toFixed(0)} ms`);
}

console.log(
    `machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, load ${loadavg()[0].toFixed(1)}, headless Chromium, no GPU; cells: 1000 x 1000`,
);
for (const viewport of SIZES) {
    const size = `${viewport.width} x ${viewport.height}`;
    const { page: empty } = await open(browser, `${denseUrl}/icon.svg`, { viewport });
    say(`${size}, nothing to draw`, await countFrames(empty, 'nothing'));
    await empty.context().close();
    const { page } = await open(browser, `${denseUrl}/?range=3d`, { viewport });
    await shown(page);
    say(`${size}, panning`, await countFrames(page, 'pan'));
    say(`${size}, zooming`, await countFrames(page, 'zoom'));
    await page.context().close();
}
{
    const charts = ['ETHUSDT', 'BTCUSDT@sim', 'ETHUSDT@sim'];
    const { page } = await open(browser, `${usualUrl}/?symbol=BTCUSDT&range=24h&charts=${charts.join()}`);
    await shown(page);
    for (const frame of page.frames().slice(1)) {
        await frame.waitForFunction(() => Number(document.getElementById('chart')?.dataset.columns ?? 0) > 0);
    }
    say('four charts at 1440 x 900, panning one', await countFrames(page, 'pan'));
    await page.context().close();
}
{
    const { page } = await open(browser, `${denseUrl}/?range=3d`);
    await shown(page);
    const hiding = await page.evaluate(async () => {
        const took = [];
        const chips = [...document.querySelectorAll('#leverages button')].map((chip) => chip.dataset.leverage);
        for (let n = 0; n < 10; n++) {
            const began = performance.now();
            document.querySelector(`#leverages [data-leverage="${chips[n % chips.length]}"]`).click();
            // Painted: a task queued from the frame after the one that draws.
            await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))));
            took.push(performance.now() - began);
        }
        return took.sort((a, b) => a - b)[5];
    });
    console.log(`hiding or showing a leverage: ${hiding.toFixed(0)} ms until painted`);
    if (process.env.SHOT) await page.screenshot({ path: process.env.SHOT });
    await page.context().close();
}

/** Seconds from opening the page for the first time until there are candles, and levels; of a few visits, the middle one of each. */
async function firstPicture(prepare) {
    const candles = [];
    const took = [];
    for (let visit = 0; visit < VISITS; visit++) {
        const context = await browser.newContext({ viewport: SIZES[0] });
        const page = await context.newPage();
        const devtools = await context.newCDPSession(page);
        await devtools.send('Network.enable');
        await prepare(devtools);
        await page.goto(`${usualUrl}/?symbol=BTCUSDT&range=3d`, { waitUntil: 'commit' });
        const drawn = await page.waitForFunction(
            () => (document.getElementById('chart')?.dataset.preview ?? '') !== '' && performance.now(),
            null,
            { timeout: 60_000 },
        );
        candles.push(await drawn.jsonValue());
        const painted = await page.waitForFunction(
            () =>
                document.getElementById('notice')?.hidden === true &&
                Number(document.getElementById('chart')?.dataset.columns ?? 0) > 0 &&
                performance.now(),
            null,
            { timeout: 60_000 },
        );
        took.push(await painted.jsonValue());
        await context.close();
    }
    const middle = (list) => (list.sort((a, b) => a - b)[Math.floor(VISITS / 2)] / 1000).toFixed(1);
    return `candles after ${middle(candles)} s, levels after ${middle(took)} s`;
}

const plain = await firstPicture(() => {});
const slowLine = await firstPicture((devtools) => devtools.send('Network.emulateNetworkConditions', SLOW_3G));
const slowCpu = await firstPicture((devtools) => devtools.send('Emulation.setCPUThrottlingRate', { rate: SLOWER_CPU }));
console.log(`first picture of 3 days: ${plain}`);
console.log(`over 400 kbit/s, 400 ms until an answer begins: ${slowLine}`);
console.log(`on a processor ${SLOWER_CPU} times slower: ${slowCpu}`);
await browser.close();
await dense.stop();
await usual.stop();
