// `npm run pictures`: the pictures of the README, taken from the page of the built program (LIQHEAT_BIN) with its demo: one that
// stands still and one that moves (animated WebP, put together by Debian's img2webp). Prints their sizes.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startProgram } from './start-program.mjs';

const web = fileURLToPath(new URL('..', import.meta.url));
const images = join(web, '../docs/images');
const FRAMES = 30;
const FRAME_MS = 300;
/** So that forges show it beside the text. */
const LARGEST_BYTES = 1e6;
/** A market minute every half second: bars close, levels are swept, and a reader sees it happen. */
const DEMO = ['demo', '--seed', '7', '--speed', '240', '--ws-update-interval', '0.25', '--listen', '127.0.0.1:0'];

const binary = process.env.LIQHEAT_BIN;
if (!binary) {
    console.error('LIQHEAT_BIN must name the built program; `make pictures` does that');
    process.exit(1);
}

spawnSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'], { cwd: web, stdio: 'inherit' });
const { asOf, launch, open, shown } = await import('../.build/dashboard/test/browser.js');

const frames = mkdtempSync(join(tmpdir(), 'liqheat-pictures-'));
const { url, stop } = await startProgram(binary, DEMO);
let failed = false;
const browser = await launch();
try {
    const still = await open(browser, `${url}/?range=3d`);
    // The demo begins with less than that, and the page goes on to it by itself.
    await still.page.locator('#ranges [aria-pressed=true]', { hasText: '3d' }).waitFor({ timeout: 120_000 });
    await shown(still.page);
    await still.page.screenshot({ path: join(images, 'heatmap.png') });

    const moving = await open(browser, `${url}/?range=12h`, { viewport: { width: 1000, height: 600 } });
    await shown(moving.page);
    const paths = [];
    for (let frame = 0; frame < FRAMES; frame += 1) {
        const before = await asOf(moving.page);
        const path = join(frames, `${String(frame).padStart(3, '0')}.png`);
        await moving.page.screenshot({ path });
        paths.push(path);
        // Every frame shows another moment of the market.
        await moving.page.waitForFunction((shownThen) => Number(document.getElementById('chart').dataset.asOf) > shownThen, before);
    }
    const animation = join(images, 'heatmap-live.webp');
    const made = spawnSync('img2webp', ['-loop', '0', '-lossy', '-q', '55', '-m', '6', '-d', String(FRAME_MS), ...paths, '-o', animation], {
        stdio: ['ignore', 'ignore', 'inherit'],
    });
    const complaints = [...still.complaints, ...moving.complaints];
    if (complaints.length > 0) console.error(`the page complained: ${complaints.slice(0, 5).join(' | ')}`);
    for (const name of ['heatmap.png', 'heatmap-live.webp']) console.log(`docs/images/${name}: ${statSync(join(images, name)).size} bytes`);
    failed = made.status !== 0 || complaints.length > 0 || statSync(animation).size > LARGEST_BYTES;
    if (statSync(animation).size > LARGEST_BYTES) console.error(`the animation is larger than ${LARGEST_BYTES} bytes`);
} finally {
    await browser.close();
    await stop();
    rmSync(frames, { recursive: true });
}
process.exit(failed ? 1 : 0);
