/** A real Chromium for the tests of the page, and the few questions they ask of it. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Browser, type BrowserContext, type BrowserContextOptions, chromium, type Page } from 'playwright-core';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGUMENTS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
];

export function launch(): Promise<Browser> {
    return chromium.launch({ executablePath: CHROMIUM, args: ARGUMENTS });
}

/** A browser with a profile of its own: what it opens is no private window, in which nothing can be installed. */
export async function launchProfile(): Promise<{ context: BrowserContext; close(): Promise<void> }> {
    const folder = mkdtempSync(join(tmpdir(), 'liqheat-profile-'));
    const context = await chromium.launchPersistentContext(folder, { executablePath: CHROMIUM, args: ARGUMENTS });
    return {
        context,
        close: async () => {
            await context.close();
            rmSync(folder, { recursive: true });
        },
    };
}

export interface Opened {
    page: Page;
    /** Errors on the console and uncaught ones; what a test did on purpose can be taken out. */
    complaints: string[];
}

export async function open(browser: Browser, url: string, options: BrowserContextOptions = {}): Promise<Opened> {
    const context = await browser.newContext({ viewport: { width: 1440, height: 900 }, colorScheme: 'dark', ...options });
    const page = await context.newPage();
    page.setDefaultTimeout(60_000);
    const complaints: string[] = [];
    page.on('console', (message) => {
        if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
    });
    page.on('pageerror', (error) => complaints.push(error.message));
    await page.goto(url);
    return { page, complaints };
}

export const PHONE: BrowserContextOptions = { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, hasTouch: true, isMobile: true };

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** What axe has to say about the page as it stands; the page must have been opened with `bypassCSP`. */
export async function axe(page: Page): Promise<string[]> {
    await page.evaluate(AXE);
    return page.evaluate(async () => {
        const { axe } = window as unknown as {
            axe: { run(): Promise<{ violations: { id: string; nodes: { html: string; failureSummary?: string }[] }[] }> };
        };
        const { violations } = await axe.run();
        return violations.flatMap(({ id, nodes }) => nodes.map(({ html, failureSummary }) => `${id}: ${html} ${failureSummary ?? ''}`));
    });
}

/** Waits until a picture with live data is on the screen. */
export async function shown(page: Page): Promise<void> {
    await page.waitForFunction(() => {
        const data = document.getElementById('chart')?.dataset;
        return Number(data?.columns ?? 0) > 0 && (data?.asOf ?? '') !== '' && document.getElementById('notice')?.hidden === true;
    });
    await painted(page);
}

/** Two animation frames later everything marked has been drawn. */
export async function painted(page: Page): Promise<void> {
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
}

/** How many different colours the chart's canvases show. */
export function colours(page: Page): Promise<number> {
    return page.evaluate(() => {
        const seen = new Set<number>();
        for (const canvas of document.querySelectorAll<HTMLCanvasElement>('#chart canvas')) {
            if (canvas.width === 0 || canvas.height === 0) continue;
            // Read from a copy: reading the chart's own canvases would change how the browser draws them.
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
            if (copy === null) continue;
            copy.drawImage(canvas, 0, 0);
            const { data } = copy.getImageData(0, 0, canvas.width, canvas.height);
            const pixels = new Uint32Array(data.buffer);
            for (let at = 0; at < pixels.length; at += 7) seen.add(pixels[at] ?? 0);
        }
        return seen.size;
    });
}

export function asOf(page: Page): Promise<number> {
    return page.evaluate(() => Number(document.getElementById('chart')?.dataset.asOf));
}

export function badge(page: Page): Promise<string> {
    return page.evaluate(() => document.getElementById('badge')?.textContent ?? '');
}

export async function badgeSays(page: Page, words: string, timeout = 15_000): Promise<void> {
    const says = (text: string): boolean => document.getElementById('badge')?.textContent?.startsWith(text) === true;
    await page.waitForFunction(says, words, { timeout });
}

/** How many pixels of the chart's pane have nearly this colour, each channel within `within`. */
export function pixelsLike(page: Page, [red, green, blue]: readonly [number, number, number], within: number): Promise<number> {
    return page.evaluate(
        ([red, green, blue, within]) => {
            const canvas = document.querySelector<HTMLCanvasElement>('#chart table tr td:nth-child(2) canvas');
            if (canvas === null) return 0;
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
            copy?.drawImage(canvas, 0, 0);
            const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
            let count = 0;
            for (let at = 0; at < data.length; at += 4) {
                if (
                    Math.abs((data[at] ?? 0) - red) <= within &&
                    Math.abs((data[at + 1] ?? 0) - green) <= within &&
                    Math.abs((data[at + 2] ?? 0) - blue) <= within
                )
                    count += 1;
            }
            return count;
        },
        [red, green, blue, within] as const,
    );
}
