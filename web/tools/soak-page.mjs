// `npm run soak`: the page beside the built program (LIQHEAT_BIN) for ten minutes (SECONDS), with live updates and somebody who
// now and then points, hides leverages, looks back and changes the range. Prints what the page holds after a garbage
// collection, every half minute, and fails when that grows.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { startProgram } from './start-program.mjs';

const web = fileURLToPath(new URL('..', import.meta.url));
const binary = process.env.LIQHEAT_BIN;
const seconds = Number(process.env.SECONDS ?? 600);
const sampleSeconds = Math.min(30, seconds / 5);
/** What may come on top of what was held after the first third, when every cache has filled. */
const GROWTH_MAX_MB = 4;
if (!binary) {
    console.error('LIQHEAT_BIN must name the built program; `make soak-page` does that');
    process.exit(1);
}

spawnSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'], { cwd: web, stdio: 'inherit' });
const { launch, open, shown, asOf } = await import('../.build/dashboard/test/browser.js');

const { url, stop } = await startProgram(binary, ['demo', '--listen', '127.0.0.1:0'], { WS_UPDATE_INTERVAL: '1' });
const browser = await launch();
const { page, complaints } = await open(browser, `${url}/?range=12h`);
await shown(page);
const devtools = await page.context().newCDPSession(page);
await devtools.send('Performance.enable');

let updates = 0;
page.on('websocket', (socket) => socket.on('framereceived', () => (updates += 1)));
// The socket that is open already was opened before anybody listened.
await page.reload();
await shown(page);

async function held() {
    await devtools.send('HeapProfiler.collectGarbage');
    const { metrics } = await devtools.send('Performance.getMetrics');
    const of = (name) => metrics.find((metric) => metric.name === name)?.value ?? 0;
    return { heap: of('JSHeapUsedSize') / 2 ** 20, nodes: of('Nodes'), listeners: of('JSEventListeners') };
}

const acts = [
    async () => page.mouse.move(400 + 100 * (updates % 7), 300),
    async () => page.keyboard.press('['),
    async () => page.keyboard.press('n'),
    async () =>
        page
            .locator('#leverages button')
            .nth(updates % 5)
            .click(),
    async () => page.keyboard.press('d'),
    async () => page.keyboard.press('m'),
    async () => page.keyboard.press('m'),
    async () => page.keyboard.press(String(1 + (updates % 3))),
    async () => shown(page),
];
const began = Date.now();
const samples = [];
let round = 0;
const first = await asOf(page);
console.log('  time   heap MB   nodes  listeners  messages');
while (Date.now() - began < seconds * 1000) {
    const until = began + (samples.length + 1) * sampleSeconds * 1000;
    // The market sets the pace: one act for every two states that arrive.
    while (Date.now() < until) {
        const seen = updates;
        while (updates < seen + 2 && Date.now() < until)
            await page.waitForFunction(() => new Promise((done) => requestAnimationFrame(() => done(true))));
        await acts[round++ % acts.length]();
    }
    const sample = { ...(await held()), at: (Date.now() - began) / 1000 };
    samples.push(sample);
    console.log(
        `${sample.at.toFixed(0).padStart(5)} s ${sample.heap.toFixed(2).padStart(9)} ${String(sample.nodes).padStart(7)} ${String(sample.listeners).padStart(10)} ${String(updates).padStart(9)}`,
    );
}
const hours = ((await asOf(page)) - first) / 3_600_000;
await browser.close();
await stop();

const late = samples.slice(Math.floor(samples.length / 3));
const least = (list) => Math.min(...list.map(({ heap }) => heap));
const half = Math.floor(late.length / 2);
const growth = least(late.slice(half)) - least(late.slice(0, half));
console.log(
    `${updates} messages, ${hours.toFixed(1)} hours of market time: heap grew by ${growth.toFixed(2)} MB of ${GROWTH_MAX_MB} allowed`,
);
if (complaints.length > 0) console.log(`the page complained: ${complaints.slice(0, 5).join(' | ')}`);
process.exit(growth > GROWTH_MAX_MB || complaints.length > 0 || updates < seconds / 4 ? 1 : 0);
