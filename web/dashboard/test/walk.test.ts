import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Loader, type Wanted } from '../src/data/loader.ts';
import { decimal } from '../src/data/walk.ts';
import { Candles } from '../src/model/candles.ts';
import { compose } from '../src/model/compose.ts';
import { holesOf } from '../src/model/holes.ts';
import { intervalMs } from '../src/model/ranges.ts';
import { Steps } from '../src/model/steps.ts';
import { niceStep, type Plan, planOf, type Stored, stretches, TILE_COLUMNS, type Viewport } from '../src/model/tile-plan.ts';
import type { Grid, GridHeader } from '../src/wire/grid.ts';
import { seeded } from './synthetic-market.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const NOW = 20_400 * DAY + 123 * MINUTE;
const STORED: Stored = { first: NOW - 400 * DAY, now: NOW, interval: '1m', baseBin: 100 };

/** Viewports as people make them: from minutes to a year, anywhere, at any price, on any screen. */
function* viewports(count: number): Generator<{ viewport: Viewport; stored: Stored }> {
    const random = seeded(11);
    for (let n = 0; n < count; n++) {
        const span = 10 * MINUTE * 60_000 ** random();
        const to = NOW + 2 * DAY - random() * 410 * DAY;
        const price = 10 ** (random() * 11 - 6);
        const low = price * (1 - 0.4 * random());
        const high = price * (1 + 10 * random() ** 4);
        const interval = ['1m', '5m', '15m', '1h'][Math.floor(random() * 4)] ?? '1m';
        yield {
            viewport: { from: to - span, to, low, high, width: 300 + random() * 3500, height: 200 + random() * 1800 },
            stored: { ...STORED, interval, baseBin: Number((price / 1000).toPrecision(1)) },
        };
    }
}

test('whatever the viewport, its tiles cover it, fit together, and are few', () => {
    for (const { viewport, stored } of viewports(3000)) {
        const plan = planOf(viewport, stored, null);
        const tileMs = plan.columnMs * TILE_COLUMNS;
        const barMs = intervalMs(stored.interval);
        assert.ok(Number.isInteger(Math.log2(plan.columnMs / barMs)), 'a level is a power of two of bars');
        const from = Math.max(stored.first, viewport.from);
        const to = Math.min(stored.now, viewport.to);
        const tiles = [...plan.near, ...plan.around].sort((a, b) => a.from - b.from);
        tiles.forEach((tile, at) => {
            assert.equal(tile.from % tileMs, 0, 'tiles are counted from 1970');
            assert.equal(tile.to - tile.from, tileMs);
            assert.ok(tile.to > stored.first && tile.from < stored.now, 'nothing is asked for where nothing is');
            if (at > 0) assert.equal(tile.from, tiles[at - 1]?.to, 'without a gap');
        });
        if (from < to) {
            assert.ok((plan.near[0]?.from ?? Infinity) <= from && (plan.near.at(-1)?.to ?? 0) >= to, 'the viewport is covered');
            assert.ok((plan.chunks[0]?.from ?? Infinity) <= from && (plan.chunks.at(-1)?.to ?? 0) >= to, 'and its candles are there');
        }
        assert.ok(plan.near.length <= 5 && plan.around.length <= 8, `${plan.near.length} and ${plan.around.length} tiles`);
        assert.ok(plan.chunks.length <= 12, `${plan.chunks.length} chunks`);
        const { low, bin, rows } = plan.prices;
        assert.ok(low <= viewport.low && low + bin * rows >= viewport.high, 'rows reach beyond the prices shown');
        assert.ok(rows >= 64 && TILE_COLUMNS * rows * 8 <= 12e6 && TILE_COLUMNS * rows <= 1_500_000, `${rows} rows`);
        assert.ok(bin >= (stored.baseBin / 10) * 0.99, 'no row is finer than the model');
        assert.ok(Math.abs(low / bin - Math.round(low / bin)) < 1e-6, 'rows begin at whole multiples');
        assert.match(decimal(bin), /^\d+(\.\d+)?$/);
        const candleMs = intervalMs(plan.interval);
        assert.ok(candleMs >= barMs);
        const isCoarsest = plan.interval === '1d';
        assert.ok(isCoarsest || (viewport.to - viewport.from) / candleMs <= viewport.width / 4, 'a candle is no hair');
    }
});

test('a little further on, the same tiles serve', () => {
    let kept = 0;
    let all = 0;
    for (const { viewport, stored } of viewports(300)) {
        const span = viewport.to - viewport.from;
        if (viewport.from < stored.first + span || viewport.to > stored.now - span) continue;
        const plan = planOf(viewport, stored, null);
        const moved = { ...viewport, from: viewport.from - span * 0.2, to: viewport.to - span * 0.2 };
        const next = planOf(moved, stored, plan);
        assert.deepEqual([next.columnMs, next.interval, next.prices], [plan.columnMs, plan.interval, plan.prices]);
        const had = new Set([...plan.near, ...plan.around].map(({ from }) => from));
        all += next.near.length;
        kept += next.near.filter(({ from }) => had.has(from)).length;
        // The price has moved by a fifth of the screen, and the rows stay.
        const shift = (viewport.high - viewport.low) * 0.2;
        const higher = planOf({ ...viewport, low: viewport.low + shift, high: viewport.high + shift }, stored, plan);
        assert.deepEqual(higher.prices, plan.prices);
    }
    assert.equal(kept, all, 'a pan of a fifth asks for nothing that the viewport did not have beside it');
});

test('zooming in refines columns, rows and candles to what is stored, and zooming out gives the coarse ones back', () => {
    const at = (hours: number, share: number, before: Plan | null): Plan =>
        planOf(
            {
                from: NOW - 30 * DAY,
                to: NOW - 30 * DAY + hours * 60 * MINUTE,
                low: 100_000 * (1 - share),
                high: 100_000 * (1 + share),
                width: 1300,
                height: 700,
            },
            STORED,
            before,
        );
    const month = at(720, 0.2, null);
    const day = at(24, 0.03, month);
    const hours = at(3, 0.005, day);
    assert.deepEqual([month.interval, day.interval, hours.interval], ['4h', '5m', '1m']);
    assert.ok(month.columnMs > day.columnMs && day.columnMs > hours.columnMs && hours.columnMs === MINUTE);
    assert.ok(month.prices.bin > day.prices.bin && day.prices.bin > hours.prices.bin && hours.prices.bin === 10);
    assert.deepEqual(at(720, 0.2, hours), month);
});

test('a coin that fell to a fourteenth has rows at every range', () => {
    for (const [low, high] of [
        [0.44, 0.46],
        [0.4, 6.5],
        [6.1, 6.4],
    ] as const) {
        const viewport = { from: NOW - DAY, to: NOW, low, high, width: 1300, height: 700 };
        const { prices } = planOf(viewport, { ...STORED, baseBin: 0.0005 }, null);
        const shown = (high - low) / prices.bin;
        assert.ok(shown >= 90 && shown <= 500, `${shown} rows for ${low} to ${high}`);
    }
});

test('a person may have narrow candles, but none narrower than a pixel', () => {
    const viewport = { from: NOW - 2 * DAY, to: NOW, low: 9e4, high: 1e5, width: 1300, height: 700 };
    assert.equal(planOf(viewport, STORED, null).interval, '15m');
    assert.equal(planOf(viewport, STORED, null, '5m').interval, '5m');
    assert.equal(planOf(viewport, STORED, null, '4h').interval, '4h');
    assert.equal(planOf(viewport, STORED, null, '1m').interval, '15m', '2,880 candles on 1,300 pixels');
});

test('steps are 1, 2 and 5 times powers of ten, exactly', () => {
    for (const [atLeast, step] of [
        [1e-8, 1e-8],
        [1.1e-7, 2e-7],
        [0.0021, 0.005],
        [0.1, 0.1],
        [3, 5],
        [51, 100],
        [1e5, 1e5],
    ] as const) {
        assert.equal(niceStep(atLeast), step);
    }
    assert.deepEqual(stretches(5, 5, 10), []);
    assert.deepEqual(stretches(5, 21, 10), [
        { from: 0, to: 10 },
        { from: 10, to: 20 },
        { from: 20, to: 30 },
    ]);
});

// --- joining tiles ---

function tile(start: number, usdMax: number, bytes: number[], more: Partial<GridHeader> = {}, classes: number[][] = []): Grid {
    const rows = 2;
    const header: GridHeader = {
        symbol: 'X',
        epoch: 'e',
        as_of: start + 100,
        start,
        column_ms: 10,
        columns: bytes.length / rows,
        rows,
        price_low: 5,
        bin: 1,
        usd_min: usdMax / 1e5,
        usd_max: usdMax,
        state: 'live',
        seen_share: 1,
        leverages: classes.map((_, at) => at + 5),
        ...more,
    };
    return {
        header,
        long: Uint8Array.from(bytes),
        short: new Uint8Array(bytes.length),
        classes: classes.map((plane) => Uint8Array.from(plane)),
    };
}

test('joined tiles show the amounts of each', () => {
    const small = tile(0, 1e6, [0, 255, 100, 1]);
    const large = tile(20, 5e7, [255, 3]);
    const joined = compose([small, large]);
    assert.deepEqual([joined.header.start, joined.header.columns, joined.header.usd_max], [0, 3, 5e7]);
    const steps = new Steps(joined.header.usd_min, joined.header.usd_max);
    const own = new Steps(small.header.usd_min, small.header.usd_max);
    [...joined.long].slice(0, 3).forEach((q, at) => {
        const expected = own.usd(small.long[at] ?? 0);
        assert.ok(Math.abs(steps.usd(q) - expected) <= expected * 0.03, `${steps.usd(q)} for ${expected}`);
    });
    assert.equal(joined.long[3], 1, 'below the smallest step of the joint scale');
    assert.deepEqual([...joined.long].slice(4), [255, 3], 'the largest keeps its bytes');
    assert.equal(compose([small]), small);
});

test('planes by leverage are kept only where all tiles have them', () => {
    const one = tile(0, 1e6, [9, 9], {}, [
        [1, 2],
        [3, 4],
    ]);
    const two = tile(10, 1e6, [9, 9], {}, [
        [5, 6],
        [7, 8],
    ]);
    assert.deepEqual(
        compose([one, two]).classes.map((plane) => [...plane]),
        [
            [1, 2, 5, 6],
            [3, 4, 7, 8],
        ],
    );
    const plain = compose([one, tile(10, 1e6, [9, 9])]);
    assert.deepEqual([plain.classes.length, plain.header.leverages.length], [0, 0]);
});

test('tiles that do not follow each other are refused', () => {
    const one = tile(0, 1e6, [9, 9]);
    assert.throws(() => compose([one, tile(20, 1e6, [9, 9])]), /does not follow at 10/);
    assert.throws(() => compose([one, tile(10, 1e6, [9, 9], { bin: 2 })]), RangeError);
    assert.throws(() => compose([]), RangeError);
});

// --- fetching ---

function loader(bytesMax: number): {
    loader: Loader<string>;
    ask(keys: string[]): void;
    answer(key: string): Promise<void>;
    fail(key: string): Promise<void>;
    asked: string[];
    seen: string[];
} {
    const open = new Map<string, { resolve(value: string): void; reject(error: unknown): void }>();
    const asked: string[] = [];
    const seen: string[] = [];
    const made = new Loader<string>({
        parallel: 2,
        bytesMax,
        bytesOf: (value) => value.length,
        arrived: () => seen.push('arrived'),
        failed: () => seen.push('failed'),
    });
    const wanted = (key: string): Wanted<string> => ({
        key,
        load: () =>
            new Promise((resolve, reject) => {
                asked.push(key);
                open.set(key, { resolve, reject });
            }),
    });
    const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    };
    return {
        loader: made,
        asked,
        seen,
        ask: (keys) => made.want(keys.map(wanted)),
        answer: async (key) => {
            open.get(key)?.resolve(`value of ${key}`);
            await settle();
        },
        fail: async (key) => {
            open.get(key)?.reject(new Error('no'));
            await settle();
        },
    };
}

test('a few at once, in order, and nothing twice', async () => {
    const { loader: made, ask, answer, asked } = loader(1000);
    ask(['a', 'b', 'c', 'd']);
    assert.deepEqual(asked, ['a', 'b']);
    ask(['b', 'd', 'e']);
    await answer('a');
    assert.deepEqual(asked, ['a', 'b', 'd'], 'c is wanted no more');
    await answer('b');
    await answer('d');
    ask(['a', 'b', 'd']);
    assert.deepEqual(asked, ['a', 'b', 'd', 'e'], 'what came is kept');
    assert.equal(made.get('a'), 'value of a');
});

test('what was used last stays', async () => {
    const { loader: made, ask, answer } = loader('value of a'.length * 2);
    for (const key of ['a', 'b']) {
        ask([key]);
        await answer(key);
    }
    made.get('a');
    ask(['c']);
    await answer('c');
    assert.deepEqual([made.get('a'), made.get('b'), made.get('c')], ['value of a', undefined, 'value of c']);
});

test('a failure empties the queue and is given once; forgotten answers change nothing', async () => {
    const { loader: made, ask, answer, fail, asked, seen } = loader(1000);
    ask(['a', 'b', 'c']);
    await fail('a');
    assert.deepEqual([seen, asked], [['failed'], ['a', 'b']]);
    made.clear();
    await answer('b');
    assert.deepEqual([seen, made.get('b')], [['failed'], undefined]);
    ask(['b']);
    await answer('b');
    assert.equal(made.get('b'), 'value of b');
});

test('old values serve until newer ones are there', async () => {
    let version = 0;
    const made = new Loader<number>({ parallel: 1, bytesMax: 10, bytesOf: () => 1, arrived: () => {}, failed: () => {} });
    const wanted = (isOld: boolean): Wanted<number> => ({ key: 'a', load: () => Promise.resolve(++version), isOld: () => isOld });
    const settle = async (): Promise<void> => {
        for (let turn = 0; turn < 5; turn++) await Promise.resolve();
    };
    made.want([wanted(false)]);
    await settle();
    made.want([wanted(false)]);
    await settle();
    assert.equal(made.get('a'), 1);
    made.want([wanted(true)]);
    assert.equal(made.get('a'), 1);
    await settle();
    assert.equal(made.get('a'), 2);
});

// --- holes ---

test('holes are runs of missing candles between those there are', () => {
    const bar = (time: number) => ({ time: time * 5 * MINUTE, open: 1, high: 1, low: 1, close: 1, volume: 1 });
    const candles = new Candles([0, 1, 3, 4, 10, 11].map(bar), 5 * MINUTE, 0, 20 * 5 * MINUTE);
    assert.deepEqual(holesOf(candles), [{ from: 25 * MINUTE, to: 50 * MINUTE }], 'one missing candle is none, and the axis ends later');
});
