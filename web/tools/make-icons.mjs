// `node tools/make-icons.mjs`: the icons of the installed page, drawn from dashboard/public/icon.svg by the tests' Chromium.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { launch } from '../.build/dashboard/test/browser.js';

const publicFolder = fileURLToPath(new URL('../dashboard/public', import.meta.url));
const icon = readFileSync(join(publicFolder, 'icon.svg'), 'utf8');
/** Systems cut a maskable icon to a shape of theirs: its ground goes to the edges, and what matters stays in the middle. */
const maskable = icon
    .replace(' rx="7"', '')
    .replace('fill="#2a1145"/>', 'fill="#2a1145"/><g transform="translate(16 16) scale(0.8) translate(-16 -16)">')
    .replace('</svg>', '</g></svg>');

const browser = await launch();
for (const [name, svg, size] of [
    ['icon-192.png', icon, 192],
    ['icon-512.png', icon, 512],
    ['icon-maskable-512.png', maskable, 512],
]) {
    const page = await browser.newPage({ viewport: { width: size, height: size } });
    await page.setContent(`<style>body { margin: 0 } svg { display: block; width: ${size}px; height: ${size}px }</style>${svg}`);
    writeFileSync(join(publicFolder, name), await page.screenshot({ omitBackground: true }));
    await page.close();
}
await browser.close();
