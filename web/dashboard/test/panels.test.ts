/** Walls, tape and measured distances as pure functions. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { tapeOf, totalsOf } from '../src/model/tape.ts';
import { wallsText } from '../src/model/wall-rows.ts';
import { type Wall, type WallLevel, wallsOf } from '../src/model/walls.ts';
import { found } from '../src/ui/symbol-search.ts';
import type { Liquidation, SymbolInfo } from '../src/wire/answers.ts';
import { seeded } from './synthetic-market.ts';

const level = (price: number, long: number, short: number): WallLevel => ({ price, long_density: long, short_density: short });

test("neighbouring heavy levels are one wall, with its dollars, edges and the nearer edge's distance", () => {
    const levels = Array.from({ length: 100 }, (_, at) => level(90 + at * 0.1, 10, 0));
    for (const at of [40, 41, 42]) levels[at] = level(90 + at * 0.1, [500, 900, 600][at - 40] ?? 0, 0);
    const walls = wallsOf(levels, 100, { reach: 0.1, bin: 0.1 });
    assert.equal(walls.length, 1);
    const [wall] = walls as [Wall];
    assert.deepEqual([wall.side, wall.usd], ['long', 2_000]);
    assert.ok(Math.abs(wall.low - 94) < 1e-9 && Math.abs(wall.high - 94.3) < 1e-9 && Math.abs(wall.peak - 94.15) < 1e-9);
    assert.ok(Math.abs(wall.distance - (94.3 / 100 - 1)) < 1e-9);
    assert.ok(Math.abs(wall.share - 2_000 / (97 * 10 + 2_000)) < 1e-9);
});

test('the same market in finer bins has the same walls', () => {
    const mass = (price: number): number =>
        20 + 1_000 * Math.exp(-(((price - 95) / 0.4) ** 2)) + 700 * Math.exp(-(((price - 91.5) / 0.3) ** 2));
    const at = (bin: number): Wall[] => {
        const levels = [];
        for (let index = Math.round(88 / bin); index < Math.round(99 / bin); index++)
            levels.push(level(index * bin, mass((index + 0.5) * bin) * bin, 0));
        return wallsOf(levels, 100, { reach: 0.12, bin });
    };
    const coarse = at(0.1);
    for (const bin of [0.05, 0.02]) {
        const fine = at(bin);
        assert.equal(fine.length, coarse.length);
        for (const [place, wall] of fine.entries()) {
            const other = coarse[place] as Wall;
            assert.ok(Math.abs(wall.usd / other.usd - 1) < 0.03, `${wall.usd} against ${other.usd}`);
            assert.ok(Math.abs(wall.low - other.low) <= 0.11 && Math.abs(wall.high - other.high) <= 0.11);
        }
    }
});

test('walls never share a dollar, never exceed the levels, and stay within reach, whatever the market', () => {
    const random = seeded(11);
    for (let market = 0; market < 200; market++) {
        const bin = [0.002, 5e-6, 1e-7, 100][market % 4] ?? 1;
        const price = bin * (500 + Math.floor(random() * 500));
        const levels = Array.from({ length: 300 }, () =>
            level(
                Math.floor((price * (0.7 + 0.6 * random())) / bin) * bin,
                random() < 0.5 ? random() * 1e6 : 0,
                random() < 0.5 ? random() * 1e6 : 0,
            ),
        );
        const walls = wallsOf(levels, price, { reach: 0.1, bin });
        for (const side of ['long', 'short'] as const) {
            const own = walls.filter((wall) => wall.side === side).sort((a, b) => a.low - b.low);
            const all = levels.reduce((sum, each) => sum + (side === 'long' ? each.long_density : each.short_density), 0);
            assert.ok(own.reduce((sum, { usd }) => sum + usd, 0) <= all * (1 + 1e-9));
            for (const [place, wall] of own.entries()) {
                assert.ok(wall.usd > 0 && wall.high > wall.low && wall.peak > wall.low && wall.peak < wall.high);
                assert.ok(wall.low >= price * 0.9 - bin * 1.01 && wall.high <= price * 1.1 + bin * 1.01);
                assert.ok((own[place + 1]?.low ?? Infinity) >= wall.high - bin * 1e-6);
            }
        }
    }
    assert.deepEqual(wallsOf([], 100, { reach: 0.1, bin: 1 }), []);
    assert.equal(wallsOf([level(99, 5, 0)], 100, { reach: 0.1, bin: 1 }).length, 1, 'a single level stands alone');
});

const HOUR = 3_600_000;
const event = (hoursAgo: number, side: 'long' | 'short', usd: number, venue = 'okx'): Liquidation => ({
    venue,
    time: 100 * HOUR - hoursAgo * HOUR,
    side,
    price: 1,
    usd,
});

test('totals count what began within the last hours, by side and venue', () => {
    const totals = (hours: number, bybit: readonly number[], okx: readonly number[]): object => {
        const of = ([longUsd = 0, shortUsd = 0]: readonly number[]): object => ({ longUsd, shortUsd });
        const both = [0, 1].map((at) => (bybit[at] ?? 0) + (okx[at] ?? 0));
        return {
            hours,
            ...of(both),
            venues: [
                { venue: 'bybit', ...of(bybit) },
                { venue: 'okx', ...of(okx) },
            ],
        };
    };
    const list = [
        event(0.5, 'long', 1),
        event(1, 'short', 2),
        event(3, 'long', 4),
        event(11, 'short', 8, 'bybit'),
        event(24, 'long', 16),
        event(25, 'long', 32),
        event(-1, 'long', 64),
    ];
    assert.deepEqual(totalsOf(list, 100 * HOUR), [
        totals(1, [0, 0], [1, 2]),
        totals(4, [0, 0], [5, 2]),
        totals(12, [0, 8], [5, 2]),
        totals(24, [0, 8], [21, 2]),
    ]);
    assert.deepEqual(
        tapeOf(list, 4, 3).map(({ usd }) => usd),
        [64, 4, 8],
    );
});

test('the copied table has one line a wall, without noise of binary fractions', () => {
    const text = wallsText(
        [
            {
                side: 'short',
                low: 0.30000000000000004,
                high: 0.4,
                peak: 0.35,
                usd: 1234.4,
                share: 0.5,
                distance: 0.01,
                ageMs: 90_000,
                older: false,
            },
        ],
        ',',
    );
    assert.equal(text, 'side,low,high,usd,share,distance,age_seconds\nshort,0.3,0.4,1234,0.5000,0.01000,90\n');
});

test('symbols are found by parts of their names, those that begin so first', () => {
    const list = ['1000PEPEUSDT', 'BTCUSDT', 'BTCUSDT@okx', 'ETHBTC'].map((symbol) => ({ symbol }) as SymbolInfo);
    const names = (text: string): string[] => found(list, text).map(({ symbol }) => symbol);
    assert.deepEqual(names('btc'), ['BTCUSDT', 'BTCUSDT@okx', 'ETHBTC']);
    assert.deepEqual(names('btc okx'), ['BTCUSDT@okx']);
    assert.deepEqual(
        names(''),
        list.map(({ symbol }) => symbol),
    );
    assert.deepEqual(names('zzz'), []);
});
