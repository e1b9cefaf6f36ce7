/** A replay in the page: it plays what the server stores, shows nothing later, and stands in the address. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Page } from 'playwright-core';
import { open, PHONE, painted, shown } from './browser.ts';
import { browser, server, setUpShared, url } from './set-up.ts';
import type { Step } from './synthetic-market.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** Colours of candles in the dark theme. */
const UP = [0x2e, 0xe6, 0xc0] as const;
const DOWN = [0xff, 0x5b, 0x6e] as const;

setUpShared({ everyMs: 0 });

function stepsOf(symbol: string): readonly Step[] {
    return server.markets.get(symbol)?.steps ?? [];
}

/** The newest step that had begun before a moment. */
function stepBefore(symbol: string, moment: number): Step {
    return stepsOf(symbol).findLast(({ time }) => time < moment) ?? assert.fail('a step');
}

/** A number of days after the first step, at a boundary of every interval that candles may have there. */
function daysIn(days: number): number {
    return Math.ceil(((stepsOf('ETHUSDT')[0]?.time ?? 0) + days * DAY) / (4 * HOUR)) * 4 * HOUR;
}

function moment(page: Page): Promise<number> {
    return page.evaluate(() => Number(document.getElementById('chart')?.dataset.moment));
}

/** Waits until a moment from `time` on is shown. */
async function cameTo(page: Page, time: number): Promise<number> {
    await page.waitForFunction((time) => Number(document.getElementById('chart')?.dataset.moment) >= time, time);
    return moment(page);
}

interface Seen {
    seen: string[];
}

/** From its first moment on, the page keeps each moment and price that it shows. */
async function watch(page: Page): Promise<void> {
    await page.addInitScript(() => {
        const seen: string[] = [];
        (globalThis as unknown as Seen).seen = seen;
        const look = (): void => {
            const { moment } = document.getElementById('chart')?.dataset ?? {};
            const price = document.querySelector('#quote b')?.textContent ?? '';
            const now = `${moment ?? ''} ${price}`;
            if (moment !== undefined && seen.at(-1) !== now) seen.push(now);
        };
        new MutationObserver(look).observe(document, { subtree: true, childList: true, attributes: true });
    });
}

function seen(page: Page): Promise<string[]> {
    return page.evaluate(() => (globalThis as unknown as Seen).seen);
}

async function price(page: Page): Promise<number> {
    return Number((await page.locator('#quote b').innerText()).replaceAll(',', ''));
}

/** Pixels of candles left and right of a share of the chart. */
function candlePixels(page: Page, share: number): Promise<{ left: number; right: number }> {
    return page.evaluate(
        ([share, up, down]) => {
            // The lower one has the candles, the upper one what covers them.
            const canvases = document.querySelectorAll<HTMLCanvasElement>('#chart table tr:first-child td:nth-child(2) canvas');
            const [canvas] = canvases;
            if (canvas === undefined) throw new Error('no canvas');
            const copy = new OffscreenCanvas(canvas.width, canvas.height).getContext('2d', { willReadFrequently: true });
            for (const each of canvases) copy?.drawImage(each, 0, 0);
            const data = copy?.getImageData(0, 0, canvas.width, canvas.height).data ?? [];
            const found = { left: 0, right: 0 };
            for (let at = 0; at < data.length; at += 4) {
                if (![up, down].some((colour) => colour.every((channel, place) => data[at + place] === channel))) continue;
                if ((at / 4) % canvas.width < canvas.width * share) found.left += 1;
                else found.right += 1;
            }
            return found;
        },
        [share, UP, DOWN] as const,
    );
}

test('a link to a moment far back shows it as of then: candles, price, and nothing later', async () => {
    const wanted = daysIn(10);
    const { page, complaints } = await open(
        browser,
        `${url}/?symbol=ETHUSDT&range=3d&theme=dark&events=0&at=${new Date(wanted).toISOString()}`,
    );
    await page.waitForFunction((wanted) => Number(document.getElementById('chart')?.dataset.moment) === wanted, wanted);
    await painted(page);
    const { close } = stepBefore('ETHUSDT', wanted);
    assert.ok(Math.abs((await price(page)) - close) < 0.06, `${await price(page)} instead of ${close}`);
    // The moment stands at four fifths; the bars of then are beside it.
    const { left, right } = await candlePixels(page, 0.81);
    assert.ok(left > 500 && right === 0, `${left} pixels of candles before the moment, ${right} after it`);
    assert.match(await page.locator('#scrub-says').innerText(), /^As of /);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('until the past is there nothing is shown in its place', async () => {
    const wanted = daysIn(10);
    let release = (): void => {};
    server.trouble.tilesAfter = new Promise((done) => {
        release = done;
    });
    try {
        const { page, complaints } = await open(browser, 'about:blank');
        await watch(page);
        await page.goto(`${url}/?symbol=ETHUSDT&range=3d&theme=dark&events=0&at=${new Date(wanted).toISOString()}`);
        const notice = page.locator('#notice[data-kind=loading_past]');
        await notice.waitFor();
        assert.equal(await notice.innerText(), 'Loading the past');
        await painted(page);
        assert.equal(await page.locator('#quote').innerText(), '');
        assert.equal(await page.locator('#clusters').innerText(), '');
        assert.deepEqual(await candlePixels(page, 0.5), { left: 0, right: 0 });
        release();
        await cameTo(page, wanted);
        await page.waitForFunction(() => document.getElementById('notice')?.hidden === true);
        assert.deepEqual(complaints, []);
        // The first price comes with the moment, or a frame after it.
        const shownMoments = (await seen(page)).filter((each) => !each.startsWith('not loaded'));
        assert.ok(shownMoments.length > 0 && shownMoments.every((each) => each.startsWith(`${wanted} `)), shownMoments.join(' | '));
        const prices = (await seen(page)).filter((each) => each.startsWith('not loaded') && /\d$/.test(each));
        assert.deepEqual(prices, [], 'no price of another moment');
        await page.context().close();
    } finally {
        server.trouble.tilesAfter = null;
        release();
    }
});

test('a replay that begins far back begins there', async () => {
    const wanted = daysIn(8);
    const { page } = await open(browser, 'about:blank');
    await watch(page);
    await page.goto(`${url}/?symbol=ETHUSDT&range=3d&speed=3600&play=1&at=${new Date(wanted).toISOString()}`);
    await cameTo(page, wanted + HOUR);
    const moments = (await seen(page)).filter((each) => !each.startsWith('not loaded')).map((each) => Number(each.split(' ')[0]));
    assert.ok(Math.min(...moments) >= wanted && Math.max(...moments) < wanted + DAY, moments.join());
    await page.context().close();
});

test('a moment before all data is answered in words, and now is shown', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d&at=2001-01-01T00:00:00Z`);
    await page.locator('#toast', { hasText: 'No data is stored for that time.' }).waitFor();
    await shown(page);
    await page.waitForURL((address) => !address.searchParams.has('at'));
    assert.equal(await moment(page), 0);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('the whole range up to now is not shown as of a moment before it', async () => {
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d&at=${new Date(daysIn(10)).toISOString()}`);
    await cameTo(page, daysIn(10));
    await page.keyboard.press('0');
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.moment === '');
    await page.waitForURL((address) => !address.searchParams.has('at'));
    await page.context().close();
});

test('it plays, follows the moment, pauses, and the address says where', async () => {
    const wanted = daysIn(12);
    const { page, complaints } = await open(
        browser,
        `${url}/?symbol=ETHUSDT&range=3d&theme=dark&events=0&speed=3600&play=1&at=${new Date(wanted).toISOString()}`,
    );
    const before = await cameTo(page, wanted + HOUR);
    assert.ok(before < wanted + DAY, 'it begins at the moment of the link');
    await page.getByLabel('Speed of a replay').selectOption('4 h/s');
    await page.waitForURL(/speed=14400/);
    // Further than what was visible at first.
    const later = await cameTo(page, before + 2 * DAY);
    await page.waitForFunction((before) => Date.parse(new URLSearchParams(location.search).get('at') ?? '') > before, before);
    assert.match(page.url(), /[?&]play=1/);
    await page.getByRole('button', { name: 'Play the past' }).click();
    await page.waitForURL((address) => !address.searchParams.has('play'));
    await painted(page);
    const stopped = await moment(page);
    assert.ok(stopped >= later);
    const { close } = stepBefore('ETHUSDT', stopped);
    assert.ok(Math.abs((await price(page)) - close) < 0.06, `${await price(page)} instead of ${close}`);
    const { left, right } = await candlePixels(page, 0.82);
    assert.ok(left > 200 && right === 0, `${left} pixels of candles before the moment, ${right} after it`);
    assert.equal(Date.parse(new URL(page.url()).searchParams.get('at') ?? ''), stopped, 'the link is to this moment');
    await painted(page);
    assert.equal(await moment(page), stopped);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('a replay ends at now', async () => {
    const now = server.markets.get('ETHUSDT')?.asOf() ?? 0;
    const { page, complaints } = await open(
        browser,
        `${url}/?symbol=ETHUSDT&range=12h&speed=3600&play=1&at=${new Date(now - 3 * HOUR).toISOString()}`,
    );
    await cameTo(page, now - 2 * HOUR);
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.moment === '');
    await page.waitForURL((address) => !address.searchParams.has('play') && !address.searchParams.has('at'));
    assert.equal(await page.getByRole('button', { name: 'Play the past' }).getAttribute('aria-pressed'), 'false');
    assert.ok(Math.abs((await price(page)) - (stepsOf('ETHUSDT').at(-1)?.close ?? 0)) < 0.06);
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('by keyboard: space plays what is visible and pauses, angles change the speed, a date begins anew', async () => {
    const { page, complaints } = await open(browser, `${url}/?symbol=ETHUSDT&range=7d`);
    await shown(page);
    await page.keyboard.press('>');
    await page.keyboard.press('>');
    await page.waitForURL(/speed=14400/);
    await page.keyboard.press('<');
    await page.waitForURL(/speed=3600/);
    await page.keyboard.press(' ');
    const begun = await cameTo(page, 1);
    await cameTo(page, begun + 2 * HOUR);
    await page.keyboard.press(' ');
    await page.waitForURL((address) => !address.searchParams.has('play') && address.searchParams.has('at'));
    const wanted = daysIn(5);
    await page.getByRole('button', { name: 'Replay from a date' }).click();
    await page.fill('#date-at', new Date(wanted).toISOString().slice(0, 16));
    await page.getByRole('button', { name: 'Replay from here' }).click();
    await page.waitForFunction(
        ([from, to]) => {
            const moment = Number(document.getElementById('chart')?.dataset.moment);
            return moment >= from && moment < to;
        },
        [wanted, begun] as const,
    );
    assert.match(page.url(), /[?&]play=1/);
    await page.keyboard.press('n');
    await page.waitForFunction(() => document.getElementById('chart')?.dataset.moment === '');
    await page.waitForURL((address) => !address.searchParams.has('play'));
    assert.deepEqual(complaints, []);
    await page.context().close();
});

test('whoever drags the moment out of sight pauses the replay', async () => {
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d`);
    await shown(page);
    await page.keyboard.press(' ');
    await cameTo(page, 1);
    await page.waitForURL(/play=1/);
    // While the past is on its way, the replay takes the chart back.
    while (new URL(page.url()).searchParams.has('play')) await page.keyboard.press('ArrowLeft');
    await page.waitForURL((address) => !address.searchParams.has('play') && address.searchParams.has('at'));
    await page.context().close();
});

test('panes under the chart hold nothing later either', async () => {
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d&studies=volume`);
    await shown(page);
    const says = (): Promise<string> => page.locator('.study').innerText();
    await page.waitForFunction(() => /\d/.test(document.querySelector('.study')?.textContent ?? ''));
    const newest = await says();
    await page.keyboard.press('[');
    await page.keyboard.press('[');
    await page.waitForFunction((newest) => document.querySelector('.study')?.textContent !== newest, newest);
    await page.keyboard.press('n');
    await page.waitForFunction((newest) => document.querySelector('.study')?.textContent === newest, newest);
    await page.context().close();
});

test('on a phone the tools of a replay are as large as a finger', async () => {
    const { page } = await open(browser, `${url}/?symbol=ETHUSDT&range=3d`, PHONE);
    await shown(page);
    await page.getByRole('button', { name: 'Play the past' }).tap();
    await cameTo(page, 1);
    await page.getByRole('button', { name: 'Play the past' }).tap();
    for (const name of ['#play', '#speed', '#replay-date', '#scrub-now']) {
        const box = (await page.locator(name).boundingBox()) ?? assert.fail(`${name} is not on the page`);
        assert.ok(box.height >= 44 && box.width >= 44, `${name} ${box.width} x ${box.height}`);
        assert.ok(box.x >= 0 && box.x + box.width <= 390, `${name} is on the screen`);
    }
    const slider = (await page.locator('#scrub-to').boundingBox()) ?? assert.fail('no slider');
    assert.ok(slider.width > 200, `${slider.width} px of slider`);
    await page.context().close();
});

test('a moment that the range has left behind stays what it was', async () => {
    const market = server.markets.get('ETHUSDT') ?? assert.fail('a market');
    const wanted = market.asOf() - 11 * HOUR;
    const { page, complaints } = await open(browser, `${url}/?symbol=ETHUSDT&range=12h&at=${new Date(wanted).toISOString()}`);
    await cameTo(page, wanted);
    await painted(page);
    const before = await price(page);
    for (let hours = 0; hours < 4; hours += 1) {
        for (let quarter = 0; quarter < 4; quarter += 1) server.advance('ETHUSDT');
        await page.waitForFunction((asOf) => Number(document.getElementById('chart')?.dataset.asOf) === asOf, market.asOf());
    }
    // It has left the range, is fetched from the past, and is the same.
    await page.waitForFunction((wanted) => {
        const { start, moment } = document.getElementById('chart')?.dataset ?? {};
        return Number(start) < wanted && Number(moment) === wanted;
    }, wanted);
    await painted(page);
    assert.equal(await price(page), before);
    assert.deepEqual(complaints, []);
    await page.context().close();
});
