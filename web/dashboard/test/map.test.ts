import assert from 'node:assert/strict';
import { test } from 'node:test';
import { splitBetween } from '../src/model/leverage-split.ts';
import { leverageMap } from '../src/model/liquidation-map.ts';
import { niceStep } from '../src/render/map-view.ts';
import { parseCandles, parseLeverageLevels, parseSymbols } from '../src/wire/answers.ts';
import { AnswerError } from '../src/wire/fields.ts';

const LEVELS = parseLeverageLevels({
    symbol: 'S',
    model: 'm',
    current_price: 100,
    long_liquidations: [
        { price_level: 98, volume: 10, leverage: '50x', distance_pct: -2 },
        { price_level: 98, volume: 5, leverage: '25x', distance_pct: -2 },
        { price_level: 95, volume: 20, leverage: '25x', distance_pct: -5 },
        { price_level: 60, volume: 999, leverage: '3x', distance_pct: -40 },
    ],
    short_liquidations: [
        { price_level: 102, volume: 7, leverage: '50x', distance_pct: 2 },
        { price_level: 104, volume: 1, leverage: '100x', distance_pct: 4 },
    ],
});

test('levels are stacked by leverage and summed outwards from the price', () => {
    const map = leverageMap(LEVELS, 1, 1_000, []);
    assert.deepEqual(map.leverages, [25, 50, 100]);
    assert.deepEqual(
        map.bins.map(({ price, side, usd, total, cumulative }) => [price, side, [...usd], total, cumulative]),
        [
            [95, 'long', [20, 0, 0], 20, 35],
            [98, 'long', [5, 10, 0], 15, 15],
            [102, 'short', [0, 7, 0], 7, 7],
            [104, 'short', [0, 0, 1], 1, 8],
        ],
    );
    assert.deepEqual([map.largest, map.longUsd, map.shortUsd], [20, 35, 8]);
});

test('hiding a leverage takes its dollars away and leaves the axis and the colours alone', () => {
    const all = leverageMap(LEVELS, 1, 1_000, []);
    const some = leverageMap(LEVELS, 1, 1_000, [25, 100]);
    assert.deepEqual(some.leverages, all.leverages);
    assert.deepEqual([some.low, some.high], [all.low, all.high]);
    assert.deepEqual([some.longUsd, some.shortUsd], [10, 7]);
});

test('bins are as wide as the room asks for, and keep every dollar', () => {
    const map = leverageMap(LEVELS, 1, 6, []);
    assert.equal(map.bin, 5);
    assert.deepEqual([map.longUsd, map.shortUsd], [35, 8]);
});

test('a bin is split by leverage', () => {
    assert.deepEqual(splitBetween(LEVELS, 98, 99), [
        { leverage: 50, usd: 10 },
        { leverage: 25, usd: 5 },
    ]);
    assert.deepEqual(splitBetween(LEVELS, 95, 98), [{ leverage: 25, usd: 20 }]);
    assert.deepEqual(splitBetween(LEVELS, 102, 105), [
        { leverage: 100, usd: 1 },
        { leverage: 50, usd: 7 },
    ]);
    assert.deepEqual(splitBetween(LEVELS, 99, 102), []);
});

test('axis steps are round', () => {
    assert.deepEqual([0.3, 1, 1.1, 3, 7, 1_800].map(niceStep), [0.5, 1, 2, 5, 10, 2_000]);
});

test('answers of another shape are refused with what is missing', () => {
    assert.throws(() => parseSymbols({}), AnswerError);
    assert.throws(() => parseCandles({ data: [{ timestamp: 'never' }] }), /timestamp is not a time/);
    assert.throws(() => parseCandles({ data: [{ timestamp: '2025-12-28T14:30:00Z', open: '1' }] }), /open is not a number/);
    const layers = parseSymbols({ symbols: [{ symbol: 'S' }, { symbol: 'S@hyperliquid:measured', measured: true }] });
    assert.deepEqual(
        layers.symbols.map(({ symbol }) => symbol),
        ['S'],
        'a layer of measured positions is no market of its own',
    );
    assert.deepEqual(
        layers.layers.map(({ symbol }) => symbol),
        ['S@hyperliquid:measured'],
    );
    const [known] = parseSymbols({ symbols: [{ symbol: 'S', base_bin: null, first: null }], simulated: true }).symbols;
    assert.deepEqual([known?.baseBin, known?.first, known?.simulated], [1, null, true]);
    const twice = { timestamp: '2025-12-28T14:30:00Z', open: 1, high: 1, low: 1, close: 1, volume: null };
    assert.equal(parseCandles({ data: [twice, twice] }).length, 1);
});
