/** Measured positions: the bins they share with the estimate, the words about how much they are, and the answers they come from. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { barsOf, excessWords, relationWords, rowWords, shareWords, shortAddress, sideRows } from '../src/model/measured.ts';
import { estimateOf, layerOf } from '../src/model/venues.ts';
import { type MeasuredLayer, type MeasuredSide, parseMap, parseMeasured } from '../src/wire/measured.ts';

const side = (coverage: number | null): MeasuredSide => ({
    usd: 1_000,
    accounts: 1_812,
    coverage,
    withoutLevel: 0.31,
    olderThan5m: 0.004,
    olderThan60m: 0,
});

function layerWith(levels: MeasuredLayer['levels'], price = 1_000, bin = 1): MeasuredLayer {
    return { asOf: 0, price, bin, addresses: 5, late: 0, long: side(0.5), short: side(null), levels, closest: [] };
}

test('measured and estimated dollars share their bins, and none is lost or counted twice', () => {
    const levels = [
        { price: 899, longUsd: 5, shortUsd: 0 },
        { price: 900, longUsd: 10, shortUsd: 0 },
        { price: 904, longUsd: 20, shortUsd: 0 },
        { price: 1_003, longUsd: 0, shortUsd: 7 },
        { price: 1_200, longUsd: 0, shortUsd: 99 },
    ];
    const estimate = { bin: 1, levels: [{ price: 903, longUsd: 100, shortUsd: 3 }] };
    const bars = barsOf(layerWith(levels), estimate, 0.1, 40);
    assert.equal(bars.bin, 5);
    assert.deepEqual([bars.rows[0]?.price, bars.rows.at(-1)?.price, bars.rows.length], [900, 1_100, 41]);
    assert.deepEqual(bars.rows[0], { price: 900, measured: { long: 30, short: 0 }, estimated: { long: 100, short: 3 } });
    assert.deepEqual(bars.measured, { long: 30, short: 7 }, 'what lies beyond the rows is not in the sums');
    assert.deepEqual(bars.estimated, { long: 100, short: 3 });
    assert.equal(bars.largest, 103);
    assert.equal(bars.hasEstimate, true);
});

test('a bin that is not exact in binary keeps its levels, and both sides take the larger bin', () => {
    const bin = 5e-6;
    const levels = Array.from({ length: 400 }, (_, at) => ({ price: Number((0.008 + at * bin).toFixed(8)), longUsd: 1, shortUsd: 0 }));
    const bars = barsOf(layerWith(levels, 0.009, bin), { bin: 2 * bin, levels: [] }, 0.05, 1_000);
    assert.equal(bars.bin, 2 * bin);
    assert.ok(
        bars.rows.slice(1, -1).every(({ measured }) => measured.long === 2),
        'two levels a row',
    );
});

test('without an estimate there is none, and without levels no bar', () => {
    const bars = barsOf(layerWith([]), null, 0.05, 10);
    assert.deepEqual([bars.largest, bars.hasEstimate], [0, false]);
    const [row] = bars.rows;
    assert.ok(row !== undefined);
    assert.equal(rowWords(row, bars, 0), '950 – 960 (−4.50 %)\nMeasured: $0 of longs, $0 of shorts');
    assert.match(rowWords(row, { ...bars, hasEstimate: true }, 0), /\nEstimate: \$0 of longs, \$0 of shorts$/);
});

test('coverage is written as far as it is known', () => {
    assert.deepEqual([0, 0.004, 0.0994, 0.0996, 0.512, 1, null].map(shareWords), [
        '0 %',
        '0.4 %',
        '9.9 %',
        '10 %',
        '51 %',
        '100 %',
        'unknown',
    ]);
    const words = (long: number | null, short: number | null): string => relationWords({ long: side(long), short: side(short) });
    assert.match(
        words(0.512, 0.468),
        /never added: .* all open interest, measured positions are 51 % of the longs and 47 % of the shorts\.$/,
    );
    assert.match(words(0.512, null), /51 % of the longs and an unknown part of the shorts/);
    assert.match(words(null, null), /unknown, because the open interest is not known yet/);
    assert.equal(excessWords({ long: side(1), short: side(null) }), null);
    assert.match(excessWords({ long: side(0.2), short: side(1.01) }) ?? '', /^More is measured than the open interest/);
    const rows = sideRows({ long: side(0.5), short: side(null) }).map(([name, , long, short]) => [name, long, short]);
    assert.deepEqual(rows, [
        ['Coverage', '50 %', 'unknown'],
        ['Positions', '$1.00K', '$1.00K'],
        ['Accounts', '1,812', '1,812'],
        ['Without a level', '31 %', '31 %'],
        ['Older than 5 min', '0.4 %', '0.4 %'],
        ['Older than 60 min', '0 %', '0 %'],
    ]);
    assert.deepEqual([shortAddress('0x12345'), shortAddress(`0x${'ab'.repeat(20)}`)], ['0x12345', '0xabab…abab']);
});

test('a layer belongs to its symbol and to its venue', () => {
    const layers = ['BTCUSDT@hyperliquid:measured', 'ETHUSDT@hyperliquid:measured'];
    const found = (symbol: string): string | null => layerOf(layers, symbol);
    assert.deepEqual([found('ETHUSDT'), found('ETHUSDT@hyperliquid'), found('BTCUSDT')], [layers[1], layers[1], layers[0]]);
    assert.deepEqual([found('BTCUSDT@okx'), found('SOLUSDT'), found('')], [null, null, null]);
    assert.equal(estimateOf(layers[0] ?? ''), 'BTCUSDT@hyperliquid');
});

test('an answer is read as it is, and a wrong one is named', () => {
    const half = { usd: 5, accounts: 1, share_without_level: 0, share_older_than_5m: 0, share_older_than_60m: 0 };
    const body = {
        as_of: '2025-12-28T14:30:00Z',
        current_price: 98_450,
        bin: 100,
        coverage_long: 0.5,
        long: half,
        short: half,
        levels: [{ price: 95_100, long_usd: 1, short_usd: 0 }],
        closest: [{ side: 'short', liquidation_price: 98_500, distance_pct: 0.05, usd: 3, age_s: 12 }],
    };
    const layer = parseMeasured(body);
    assert.deepEqual([layer.long.coverage, layer.short.coverage], [0.5, null]);
    assert.deepEqual(layer.closest, [{ side: 'short', price: 98_500, distance: 0.0005, usd: 3, ageMs: 12_000, address: null }]);
    assert.throws(() => parseMeasured({ ...body, long: { ...half, usd: null } }), /usd of long is not a number/);
    assert.throws(() => parseMeasured({ ...body, closest: null }), /closest is not a list/);
    assert.throws(() => parseMap({ bin: 100, levels: [{ price: '1' }] }), /price is not a number/);
});
