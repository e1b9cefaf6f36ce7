import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Candles } from '../src/model/candles.ts';
import { compactUsd, formatAge, formatPrice, formatTime, priceDecimals, signedPercent, tersestUsd } from '../src/model/format.ts';
import { badgeOf, type Sighting } from '../src/model/freshness.ts';
import { Heat } from '../src/model/heat.ts';
import { clusters } from '../src/model/quote.ts';
import { available, candleInterval, fitting, RANGES } from '../src/model/ranges.ts';
import { momentAt, momentIn, spanOf, stateAt, stepped } from '../src/model/replay.ts';
import type { Cell } from '../src/model/rows.ts';
import { Steps } from '../src/model/steps.ts';
import { Sweeps } from '../src/model/sweeps.ts';
import { gathered } from '../src/render/events-primitive.ts';
import { visibleSpan } from '../src/render/heat-primitive.ts';
import { paletteOf, shares } from '../src/render/palette.ts';
import type { Candle } from '../src/wire/answers.ts';
import type { GridHeader } from '../src/wire/grid.ts';

const MINUTE = 60_000;

function header(columns: number, rows: number): GridHeader {
    return {
        symbol: 'S',
        epoch: 'e',
        as_of: columns * MINUTE,
        start: 0,
        column_ms: MINUTE,
        columns,
        rows,
        price_low: 100,
        bin: 10,
        usd_min: 1_000,
        usd_max: 1_000_000,
        state: 'live',
        seen_share: 1,
        leverages: [],
    };
}

function heat(columns: number, rows: number): Heat {
    const empty = new Uint8Array(columns * rows);
    return new Heat({ header: header(columns, rows), long: empty, short: empty, classes: [] });
}

const live = (price: number, long: number, short: number): { price: number; long_density: number; short_density: number } => ({
    price,
    long_density: long,
    short_density: short,
});

test('steps: a byte and back stays within three percent, sums add dollars', () => {
    const steps = new Steps(1_000, 100_000_000);
    for (const usd of [1_000, 4_321, 99_999, 1e6, 7.7e7, 1e8]) {
        assert.ok(Math.abs(steps.usd(steps.step(usd)) / usd - 1) < 0.03, String(usd));
    }
    assert.equal(steps.step(0), 0);
    assert.equal(steps.step(0.4), 0);
    assert.equal(steps.step(1), 1);
    assert.equal(steps.step(1e12), 255);
    const sums = steps.sums();
    const a = steps.step(2e6);
    const b = steps.step(3e6);
    assert.ok(Math.abs(steps.usd(sums[(a << 8) | b] ?? 0) / 5e6 - 1) < 0.07);
    assert.equal(sums[(a << 8) | 0], a);
    assert.equal(sums[(a << 8) | b], sums[(b << 8) | a]);
    assert.throws(() => new Steps(0, 1), RangeError);
    assert.equal(new Steps(5, 5).step(5), 255);
});

test('the live edge repaints the last column and grows new ones', () => {
    const picture = heat(10, 10);
    picture.takeDirtyFrom();
    assert.equal(picture.paint(9.5 * MINUTE, 150, [live(120, 50_000, 0), live(125, 50_000, 0), live(999, 1, 1)]), 'painted');
    assert.equal(picture.takeDirtyFrom(), 9);
    assert.ok(Math.abs((picture.read(9.2 * MINUTE, 122)?.longUsd ?? 0) / 100_000 - 1) < 0.03);
    assert.equal(picture.read(9.2 * MINUTE, 132)?.longUsd, 0);
    assert.equal(picture.paint(11.1 * MINUTE, 150, [live(130, 0, 9_000)]), 'patched');
    assert.equal(picture.columns(), 12);
    // The column in between keeps what was known.
    assert.ok((picture.read(10.5 * MINUTE, 122)?.longUsd ?? 0) > 0);
    assert.equal(picture.read(11.5 * MINUTE, 122)?.longUsd, 0);
    assert.ok((picture.read(11.5 * MINUTE, 131)?.shortUsd ?? 0) > 0);
});

test('an older state is ignored; a hole in time or a price at the edge asks for the history', () => {
    const picture = heat(10, 10);
    assert.equal(picture.paint(3 * MINUTE, 150, []), 'old');
    assert.equal(picture.paint(20 * MINUTE, 150, []), 'outgrown');
    assert.equal(picture.paint(9.5 * MINUTE, 199, []), 'outgrown');
    assert.equal(picture.columns(), 10);
    assert.equal(picture.paint(9.5 * MINUTE, 150, [live(120, 1_200_000, 0)]), 'painted');
    assert.equal(picture.paint(9.5 * MINUTE, 150, [live(120, 1_300_000, 0)]), 'outgrown');
});

test('a last column that holds nothing yet shows what stood before', () => {
    const long = new Uint8Array(30);
    long[12] = 200;
    const picture = new Heat({ header: header(3, 10), long, short: new Uint8Array(30), classes: [] });
    assert.equal(picture.read(2.5 * MINUTE, 121)?.longUsd, picture.read(1.5 * MINUTE, 121)?.longUsd);
    assert.equal(picture.read(0.5 * MINUTE, 121)?.longUsd, 0);
});

test('when the room on the right is used up, the oldest columns go and times stay right', () => {
    const picture = heat(10, 10);
    const until = 500;
    for (let minute = 10; minute < until; minute++) {
        assert.equal(picture.paint((minute + 0.5) * MINUTE, 150, [live(120, minute * 1_000, 0)]), 'painted');
        assert.ok(picture.columns() <= picture.capacity);
    }
    const newest = picture.read((until - 0.5) * MINUTE, 121);
    assert.ok(Math.abs((newest?.longUsd ?? 0) / 499_000 - 1) < 0.03);
    const older = picture.read((until - 5.5) * MINUTE, 121);
    assert.equal(older?.time, (until - 6) * MINUTE);
    assert.ok(Math.abs((older?.longUsd ?? 0) / 494_000 - 1) < 0.03);
    assert.equal(picture.read(0, 121), null);
});

test('what stands between two prices is summed, and a band knows its age', () => {
    const picture = heat(4, 10);
    for (let minute = 4; minute < 8; minute++) picture.paint((minute + 0.5) * MINUTE, 150, [live(120, 10_000, 0), live(170, 0, 20_000)]);
    const at = (price: number): Cell => picture.read(7.5 * MINUTE, price)?.cell ?? assert.fail(`no cell at ${price}`);
    const sum = picture.between(at(175), 125);
    assert.ok(Math.abs(sum.longUsd / 10_000 - 1) < 0.03);
    assert.ok(Math.abs(sum.shortUsd / 20_000 - 1) < 0.03);
    assert.equal(picture.ageOf(at(121), 'both'), 3 * MINUTE);
    assert.equal(picture.ageOf(at(121), 'long'), 3 * MINUTE);
    assert.equal(picture.ageOf(at(121), 'short'), null);
    assert.equal(picture.ageOf(at(131), 'both'), null);
});

const candle = (minute: number, close: number): Candle => ({
    time: minute * MINUTE,
    open: close,
    high: close + 1,
    low: close - 1,
    close,
    volume: 1,
});

test('a band is marked where the price took it, and nowhere else', () => {
    const rows = 10;
    const long = new Uint8Array(8 * rows);
    for (let column = 0; column < 6; column++) long[column * rows + 2] = 200;
    for (let column = 0; column < 3; column++) long[column * rows + 8] = 200;
    const picture = new Heat({ header: header(8, rows), long, short: new Uint8Array(8 * rows), classes: [] });
    // Row 2 is 120..130; the price goes there in column 6 and never comes near row 8.
    const reach = (from: number): { low: number; high: number } =>
        from === 6 * MINUTE ? { low: 125, high: 150 } : { low: 140, high: 150 };
    const sweeps = new Sweeps(picture, reach);
    sweeps.refresh(0, [picture.long, picture.short]);
    assert.deepEqual(sweeps.cells(), [5 * rows + 2]);
    sweeps.refresh(0, [picture.short]);
    assert.deepEqual(sweeps.cells(), []);
    sweeps.refresh(0, [picture.long]);
    // Only newer columns change: what was found before stays, and is not found twice.
    for (const changed of [7, 6]) {
        sweeps.refresh(changed, [picture.long]);
        assert.deepEqual(sweeps.cells(), [5 * rows + 2]);
    }
    picture.long[6 * rows + 2] = 1;
    sweeps.refresh(6, [picture.long]);
    assert.deepEqual(sweeps.cells(), []);
});

test('bars are gapless, so that time is a straight line', () => {
    const candles = new Candles([candle(1, 10), candle(4, 13)], MINUTE, 0, 6 * MINUTE);
    const bars = [...candles.bars()];
    assert.deepEqual(
        bars.map(({ time }) => time / MINUTE),
        [0, 1, 2, 3, 4, 5],
    );
    assert.deepEqual(
        bars.map((bar) => bar.candle?.close),
        [undefined, 10, undefined, undefined, 13, undefined],
    );
    assert.equal(candles.logical(4 * MINUTE), 3.5);
    assert.equal(candles.logical(4.5 * MINUTE), 4);
    assert.equal(candles.timeAt(candles.logical(12_345)), 12_345);
    assert.equal(candles.lastPrice(), 13);
});

test('a live price moves the newest candle and begins the next', () => {
    const candles = new Candles([candle(1, 10)], MINUTE, 0, 2 * MINUTE);
    assert.deepEqual(candles.touch(1.5 * MINUTE, 14), [MINUTE]);
    assert.equal(candles.at(MINUTE)?.high, 14);
    assert.deepEqual(candles.touch(3.2 * MINUTE, 9), [2 * MINUTE, 3 * MINUTE]);
    assert.equal(candles.at(3 * MINUTE)?.close, 9);
    assert.deepEqual(candles.touch(MINUTE, 1), []);
    assert.deepEqual(candles.correct([candle(2, 12), { ...candle(3, 8), low: 5 }]), [2 * MINUTE, 3 * MINUTE]);
    assert.equal(candles.at(3 * MINUTE)?.low, 5);
    assert.equal(candles.at(3 * MINUTE)?.close, 9);
    assert.deepEqual(candles.correct([candle(2, 12)]), []);
});

test('looking back shows whole candles and ended columns, and nothing later', () => {
    const long = new Uint8Array(100);
    // Row 2 has mass in every column, more with each of them.
    for (let column = 0; column < 10; column++) long[column * 10 + 2] = 100 + column;
    const picture = new Heat({ header: header(10, 10), long, short: new Uint8Array(100), classes: [] });
    const made = (time: number, close: number): Candle => ({ time, open: close, high: close, low: close, close, volume: 1 });
    const bars = new Candles(
        [0, 3, 6, 9].map((minute) => made(minute * MINUTE, 140 + minute)),
        3 * MINUTE,
        0,
        10 * MINUTE,
    );
    const span = spanOf(picture, bars);
    assert.deepEqual(span, { first: 3 * MINUTE, last: 9 * MINUTE, step: 3 * MINUTE });
    assert.ok(span !== null);
    assert.equal(momentAt(span, 7 * MINUTE), 6 * MINUTE);
    assert.equal(momentAt(span, 0), 3 * MINUTE);
    assert.equal(momentAt(span, 12 * MINUTE), null);
    assert.equal(stepped(span, null, -1), 9 * MINUTE);
    assert.equal(stepped(span, 9 * MINUTE, -1), 6 * MINUTE);
    assert.equal(stepped(span, 3 * MINUTE, -1), 3 * MINUTE);
    assert.equal(stepped(span, 9 * MINUTE, 1), null);
    assert.equal(stepped(span, null, 1), null);
    assert.equal(momentIn(picture, bars, 7 * MINUTE, 0), 6 * MINUTE);
    assert.equal(momentIn(picture, bars, MINUTE, 0), 3 * MINUTE, 'the first there is: the stored data begins with the picture');
    assert.equal(momentIn(picture, bars, MINUTE, -60 * MINUTE), null, 'there is a picture of then, and this is another one');
    assert.equal(momentIn(picture, bars, 10 * MINUTE, 0), null);
    const { price, levels } = stateAt(picture, bars, 6 * MINUTE);
    assert.equal(price, 143);
    assert.deepEqual(levels, [{ price: 120, long_density: picture.steps.usd(105), short_density: 0 }]);
    assert.deepEqual(picture.levelsAt(0), []);
    // A hole in the data: the price is the last one known before it.
    const holey = new Candles(
        [3, 9].map((minute) => made(minute * MINUTE, 140 + minute)),
        3 * MINUTE,
        0,
        12 * MINUTE,
    );
    assert.equal(stateAt(picture, holey, 9 * MINUTE).price, 143);
    assert.equal(holey.lastPrice(), 149);
    assert.equal(spanOf(picture, holey)?.first, 6 * MINUTE, 'the way back ends where the data begins');
});

test('ranges: only what the data fills, and the nearest shorter one otherwise', () => {
    const day = 86_400_000;
    assert.deepEqual([...available(0)], ['12h']);
    assert.deepEqual([...available(3.1 * day)], ['12h', '24h', '3d']);
    assert.equal(available(400 * day).size, RANGES.length);
    assert.equal(fitting('30d', available(3 * day)), '3d');
    assert.equal(fitting('3d', available(400 * day)), '3d');
    const [twelve, , three] = RANGES;
    assert.ok(twelve && three);
    assert.equal(candleInterval(twelve, '1m', 300), '5m');
    assert.equal(candleInterval(three, '1m', 300), '15m');
    assert.equal(candleInterval(three, '5m', 76), '1h');
    assert.equal(candleInterval(twelve, '1h', 300), '1h');
    assert.equal(candleInterval(three, '1m', 1), '1d');
});

test('numbers read as traders write them', () => {
    assert.equal(compactUsd(633_470_000), '633.47M');
    assert.equal(compactUsd(999_999), '1.00M');
    assert.equal(compactUsd(12), '12');
    assert.equal(tersestUsd(1_234), '1.2K');
    assert.equal(tersestUsd(633_470_000), '633M');
    assert.equal(formatPrice(98_450.26, priceDecimals(98_450)), '98,450');
    assert.equal(formatPrice(3_412.26, priceDecimals(3_412)), '3,412.3');
    assert.equal(priceDecimals(0.1234), 5);
    assert.equal(signedPercent(-0.0123), '−1.23 %');
    assert.equal(formatTime(Date.UTC(2025, 11, 28, 4, 5)), '28 Dec 04:05');
    assert.equal(formatAge(65_000), '1 min');
    assert.equal(formatAge(-5), '0 s');
});

const sighting = (part: Partial<Sighting>): Sighting => ({
    connection: { status: 'connected', previous: 'connecting', reason: 'opened', message: 'connected', retryAt: null },
    feed: 'live',
    asOf: 98_000,
    heardAt: 99_000,
    movedAt: 99_000,
    now: 100_000,
    speed: 1,
    ...part,
});

test('the badge says what is the matter', () => {
    assert.deepEqual([badgeOf(sighting({})).tone, badgeOf(sighting({})).text], ['good', 'Live · 2 s']);
    assert.equal(badgeOf(sighting({ asOf: 0 })).tone, 'warn');
    const { now } = sighting({});
    assert.equal(badgeOf(sighting({ asOf: now - 90_000 })).tone, 'warn');
    assert.equal(badgeOf(sighting({ asOf: now - 90_000, isLayer: true })).tone, 'good');
    assert.equal(badgeOf(sighting({ asOf: now - 200_000, isLayer: true })).tone, 'warn');
    assert.equal(badgeOf(sighting({ feed: 'replay', speed: 60, asOf: 5 })).text, 'Replay ×60');
    assert.equal(badgeOf(sighting({ asOf: null })).text, 'Waiting');
    assert.equal(badgeOf(sighting({ feed: 'stale' })).tone, 'bad');
    for (const [status, text] of [
        ['disconnected', 'Disconnected'],
        ['failed', 'Refused'],
        ['polling', 'Polling'],
        ['slow', 'Slow'],
    ] as const) {
        const connection = { ...sighting({}).connection, status };
        assert.equal(badgeOf(sighting({ connection })).text, text);
    }
    const warming = badgeOf(sighting({ feed: 'warming_up' }));
    assert.deepEqual([warming.tone, warming.text], ['plain', 'Live · 2 s · warming up'], 'state and age stay');
    assert.equal(badgeOf(sighting({ feed: 'warming_up', asOf: 0 })).tone, 'warn');
    // Heartbeats go on after the end of a replay; market time does not.
    assert.equal(badgeOf(sighting({ feed: 'replay', speed: 600, movedAt: 85_000 })).text, 'Replay ×600');
    const ended = badgeOf(sighting({ feed: 'replay', speed: 600, movedAt: 60_000 }));
    assert.deepEqual([ended.tone, ended.text], ['warn', 'Replay ended']);
    assert.match(ended.title, /No new market data for 40 s/);
    const slow = badgeOf(sighting({ connection: { ...sighting({}).connection, status: 'slow' } }));
    assert.match(slow.title, /^Connection slow - may miss updates/);
    const connection = { ...sighting({}).connection, status: 'disconnected' as const, retryAt: 104_000 };
    assert.match(badgeOf(sighting({ connection })).title, /trying again in 4 s.*Last data 1 s ago/);
});

test('the heaviest levels near the price are found on either side', () => {
    const near = clusters([live(80, 500, 0), live(95, 100, 0), live(96, 100, 0), live(104, 0, 300), live(130, 0, 9_999)], 100, 5);
    assert.equal(near.long?.price, 97.5);
    assert.equal(near.long?.usd, 200);
    assert.equal(near.short?.price, 102.5);
    assert.equal(near.longUsd, 700);
    assert.equal(near.shortUsd, 10_299);
});

test('only cells that can be seen are drawn, and they stay where they belong', () => {
    assert.deepEqual(visibleSpan(0, 2, 10, 100), { from: 0, count: 10, at: 0, size: 20 });
    assert.deepEqual(visibleSpan(-5, 2, 100, 10), { from: 2, count: 6, at: -1, size: 12 });
    assert.equal(visibleSpan(200, 2, 10, 100), null);
    assert.equal(visibleSpan(-200, 2, 10, 100), null);
    assert.equal(visibleSpan(0, 0, 10, 100), null);
});

test('the colour scales grow from nothing to everything', () => {
    const steps = new Steps(1_000, 1e8);
    const counts = new Float64Array(256).fill(1);
    for (const scale of ['log', 'linear', 'percentile'] as const) {
        const places = shares(scale, { steps, peak: 255, counts });
        assert.equal(places[0], 0);
        assert.ok(Math.abs((places[255] ?? 0) - 1) < 1e-9, scale);
        for (let q = 1; q < 256; q++) assert.ok((places[q] ?? 0) >= (places[q - 1] ?? 0), `${scale} ${q}`);
    }
});

test('the threshold hides what lies under it and nothing else', () => {
    const input = { steps: new Steps(1_000, 1e8), peak: 255, counts: new Float64Array(256).fill(1) };
    const look = { scale: 'linear', colours: 'viridis', theme: 'dark', side: 'both' } as const;
    const all = paletteOf({ ...look, threshold: 0 }, input).first;
    const cut = paletteOf({ ...look, threshold: 0.5 }, input).first;
    const places = shares('linear', input);
    for (let q = 0; q < 256; q++) assert.equal(cut[q], (places[q] ?? 0) < 0.5 ? 0 : all[q]);
    assert.equal(all[0], 0);
});

test('realised liquidations gather by candle and side', () => {
    const list = [
        { time: 10, side: 'long' as const, price: 100, usd: 1 },
        { time: 20, side: 'long' as const, price: 200, usd: 3 },
        { time: 20, side: 'short' as const, price: 50, usd: 5 },
        { time: MINUTE + 1, side: 'long' as const, price: 10, usd: 2 },
    ];
    assert.deepEqual(
        gathered(list, MINUTE).map(({ side, price, usd }) => [side, price, usd]),
        [
            ['long', 175, 4],
            ['short', 50, 5],
            ['long', 10, 2],
        ],
    );
});
