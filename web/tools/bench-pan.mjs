// `npm run bench`: frames per second while panning a picture of 1000 x 1000 cells in headless Chromium without a GPU, beside
// an empty page doing nothing but counting frames on the same machine; and how long it takes until a leverage is hidden.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));
const SECONDS = 5;

if (!existsSync(join(web, 'dashboard/dist/index.html'))) spawnSync('npm', ['run', 'build'], { cwd: web, stdio: 'inherit' });
spawnSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'], { cwd: web, stdio: 'inherit' });
const { StandInServer } = await import('../.build/dashboard/test/stand-in-server.js');
const { launch, open, shown } = await import('../.build/dashboard/test/browser.js');

const server = new StandInServer({ dist: join(web, 'dashboard/dist'), everyMs: 1000, cells: { columns: 1000, rows: 1000 } });
const url = await server.start();
const browser = await launch();

function countFrames(page, work) {
    return page.evaluate(
        ([seconds, works]) =>
            new Promise((done) => {
                const chart = document.querySelector('#chart table tr td:nth-child(2) canvas:last-of-type');
                const box = chart?.getBoundingClientRect();
                const pointer = (type, x) =>
                    chart?.dispatchEvent(
                        new MouseEvent(type, {
                            bubbles: true,
                            cancelable: true,
                            view: window,
                            clientX: x,
                            clientY: box.top + box.height / 2,
                            buttons: 1,
                        }),
                    );
                const gaps = [];
                const begin = performance.now();
                let last = begin;
                let x = works ? box.left + box.width / 2 : 0;
                let way = 1;
                if (works) pointer('mousedown', x);
                const frame = (now) => {
                    gaps.push(now - last);
                    last = now;
                    if (works) {
                        x += 6 * way;
                        if (Math.abs(x - box.left - box.width / 2) > box.width / 4) way = -way;
                        document.documentElement.dispatchEvent(
                            new MouseEvent('mousemove', {
                                bubbles: true,
                                cancelable: true,
                                view: window,
                                clientX: x,
                                clientY: box.top + box.height / 2,
                                buttons: 1,
                            }),
                        );
                    }
                    if (now - begin < seconds * 1000) requestAnimationFrame(frame);
                    else {
                        gaps.sort((a, b) => a - b);
                        done({ fps: (gaps.length / (now - begin)) * 1000, p99: gaps[Math.floor(gaps.length * 0.99)] });
                    }
                };
                requestAnimationFrame(frame);
            }),
        [SECONDS, work],
    );
}

const { page: empty } = await open(browser, `${url}/icon.svg`);
const idle = await countFrames(empty, false);
await empty.context().close();

const { page } = await open(browser, `${url}/?range=3d`);
await shown(page);
const span = () => page.evaluate(() => document.getElementById('chart').dataset.columns);
const panning = await countFrames(page, true);
console.log(`machine: ${cpus().length} x ${cpus()[0]?.model.trim()}, headless Chromium, no GPU, 1440 x 900`);
console.log(`cells: ${await span()} x 1000`);
console.log(`nothing to draw: ${idle.fps.toFixed(1)} fps`);
console.log(
    `panning: ${panning.fps.toFixed(1)} fps, slowest 1 % of frames ${panning.p99.toFixed(0)} ms (ratio ${(panning.fps / idle.fps).toFixed(2)})`,
);
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
await browser.close();
await server.stop();
