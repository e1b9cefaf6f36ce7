/** What the tooltip says, on markets whose bins are not exact in binary, against the planes read by index. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { marketDecimals } from '../src/model/format.ts';
import { Heat } from '../src/model/heat.ts';
import { PriceTrack } from '../src/model/price-track.ts';
import { columnInterval, RANGES } from '../src/model/ranges.ts';
import { edgeOf, rowOf } from '../src/model/rows.ts';
import { Sweeps } from '../src/model/sweeps.ts';
import { leverageColour } from '../src/render/colours.ts';
import { type Circumstances, type Explained, explain, rowsOf } from '../src/ui/tooltip.ts';
import type { Grid } from '../src/wire/grid.ts';

const MINUTE = 60_000;
const LEVERAGES = [5, 25, 100];

/** Every row is a band of its own: it begins in column `row % 5`, and its dollars belong to leverage `row % 3`. */
function banded(priceLow: number, bin: number, rows: number): Grid {
    const columns = 8;
    const long = new Uint8Array(columns * rows);
    const classes = LEVERAGES.map(() => new Uint8Array(columns * rows));
    for (let column = 0; column < columns; column++) {
        for (let row = 0; row < rows; row++) {
            if (column < row % 5) continue;
            const step = 20 + (row % 200);
            long[column * rows + row] = step;
            (classes[row % 3] as Uint8Array)[column * rows + row] = step;
        }
    }
    return {
        header: {
            symbol: 'S',
            epoch: 'e',
            as_of: columns * MINUTE,
            start: 0,
            column_ms: MINUTE,
            columns,
            rows,
            price_low: priceLow,
            bin,
            usd_min: 1_000,
            usd_max: 1e8,
            state: 'live',
            seen_share: 1,
            leverages: LEVERAGES,
        },
        long,
        short: new Uint8Array(columns * rows),
        classes,
    };
}

const MARKETS = [
    ['XRP', 1.998, 0.002, 372],
    ['DOGE', 0.1426, 0.0002, 300],
    ['1000PEPE', 0.007775, 5e-6, 345],
    ['TINY', 0.0000072, 1e-7, 37],
    ['SOL', 150, 0.1, 300],
    ['COIN', 0.15, 0.0005, 300],
    ['BTC', 90_000, 100, 400],
] as const;

const NOW: Circumstances = { moment: null, side: 'both', priceAt: () => undefined };

function at(heat: Heat, column: number, price: number, circumstances: Circumstances = NOW): Explained {
    return explain(heat, { time: (column + 0.5) * MINUTE, price }, circumstances) ?? assert.fail(`nothing at ${price}`);
}

for (const [name, low, bin, rows] of MARKETS) {
    test(`${name}: amounts, leverage and age are those of the row under the pointer`, () => {
        const heat = new Heat(banded(low, bin, rows));
        for (let row = 0; row < rows; row++) {
            for (const share of [0, 0.25, 0.5, 0.999]) {
                const cell = at(heat, 6, low + (row + share) * bin);
                assert.equal(cell.longUsd, heat.steps.usd(20 + (row % 200)), `row ${row} + ${share}`);
                assert.deepEqual(
                    cell.parts.map(({ leverage }) => leverage),
                    [LEVERAGES[row % 3]],
                    `row ${row} + ${share}`,
                );
                assert.ok(Math.abs((cell.parts[0]?.usd ?? 0) / cell.longUsd - 1) < 1e-9);
                assert.equal(cell.ageMs, (6 - (row % 5)) * MINUTE, `row ${row} + ${share}`);
            }
            assert.equal(rowOf(heat.header, edgeOf(heat.header, row)), row);
        }
    });

    test(`${name}: a level at the edge of a row is swept there and not below`, () => {
        const grid = banded(low, bin, rows);
        const cells = 3 * rows;
        const heat = new Heat({
            header: { ...grid.header, columns: 3, leverages: [] },
            long: new Uint8Array(cells),
            short: new Uint8Array(cells),
            classes: [],
        });
        let edge = 0;
        const sweeps = new Sweeps(heat, (from) => (from === 2 * MINUTE ? { low: edge, high: edge } : null));
        for (let row = 1; row < rows - 1; row++) {
            // Three bands that end together; only the price knows which of them it took.
            heat.long.fill(0);
            for (const each of [row - 1, row, row + 1]) heat.long[each] = heat.long[rows + each] = 200;
            edge = edgeOf(heat.header, row);
            sweeps.refresh(0, [heat.long]);
            assert.deepEqual(sweeps.cells(), [rows + row]);
        }
    });
}

test('one side alone: the other is neither shown nor summed nor counted as age', () => {
    const rows = 10;
    const long = new Uint8Array(4 * rows);
    const short = new Uint8Array(4 * rows);
    for (let column = 0; column < 4; column++) {
        long[column * rows + 2] = 100;
        if (column > 1) short[column * rows + 2] = 120;
        short[column * rows + 3] = 90;
    }
    const { header } = banded(100, 10, rows);
    const heat = new Heat({ header: { ...header, columns: 4, leverages: [] }, long, short, classes: [] });
    const priceAt = (): number => 145;
    const both = at(heat, 3, 125, { ...NOW, priceAt });
    const longs = at(heat, 3, 125, { ...NOW, side: 'long', priceAt });
    const shorts = at(heat, 3, 125, { ...NOW, side: 'short', priceAt });
    const usd = (step: number): number => heat.steps.usd(step);
    assert.deepEqual([both.longUsd, both.shortUsd, both.onTheWayUsd], [usd(100), usd(120), usd(100) + usd(120) + usd(90)]);
    assert.deepEqual([longs.longUsd, longs.shortUsd, longs.onTheWayUsd, longs.ageMs], [usd(100), 0, usd(100), 3 * MINUTE]);
    assert.deepEqual([shorts.longUsd, shorts.shortUsd, shorts.onTheWayUsd, shorts.ageMs], [0, usd(120), usd(120) + usd(90), MINUTE]);
    const labels = (cell: Explained): string[] => rowsOf(cell, cell.parts, 0).map(([label]) => label);
    assert.ok(labels(longs).includes('Long') && !labels(longs).includes('Short'));
    assert.ok(labels(shorts).includes('Short') && !labels(shorts).includes('Long'));
    assert.ok(labels(both).includes('Short') && labels(both).includes('Long'));
});

test('distances count from the price at the end of the cell, never from a later one', () => {
    const heat = new Heat(banded(100, 10, 20));
    const track = new PriceTrack();
    for (let minute = 1; minute <= 8; minute++) track.add(minute * MINUTE, 100 + minute);
    track.add(3 * MINUTE, 999);
    assert.deepEqual([track.at(MINUTE - 1), track.at(MINUTE), track.at(4.5 * MINUTE), track.at(99 * MINUTE)], [undefined, 101, 104, 108]);
    const cell = at(heat, 4, 205, { ...NOW, priceAt: (time) => track.at(time) });
    assert.ok(Math.abs((cell.distance ?? 0) - (205 / 105 - 1)) < 1e-12);
});

test('prices for columns come in candles no longer than a column', () => {
    const range = (id: string): (typeof RANGES)[number] => RANGES.find((each) => each.id === id) ?? assert.fail(id);
    assert.equal(columnInterval(range('30d'), '1m', 44 * MINUTE, 5_000), '15m');
    assert.equal(columnInterval(range('3d'), '5m', 5 * MINUTE, 5_000), '5m');
    assert.equal(columnInterval(range('30d'), '1m', 10 * MINUTE, 5_000), null, 'more than the server answers with');
    assert.equal(columnInterval(range('30d'), '1h', 44 * MINUTE, 5_000), null, 'finer than what is stored');
});

test('a market has as many decimals as its prices and rows have, and no more', () => {
    assert.equal(marketDecimals([0.00000812, 0.0000089, 0.000008], 1e-7), 8);
    assert.equal(marketDecimals([0.0088712], 5e-6), 7);
    assert.equal(marketDecimals([0.0088, 0.0089], 5e-6), 6);
    assert.equal(marketDecimals([98_450.26], 100), 0);
    assert.equal(marketDecimals([98_450], 0.5), 1);
    assert.equal(marketDecimals([3_412.26, 3_400], 2), 1);
    assert.equal(marketDecimals([2.1234567], 0.002), 4);
    assert.equal(marketDecimals([1.1, 2.3], 0.1 + 0.2 - 0.1), 1);
    assert.equal(marketDecimals([], 100), 0);
});

test('a colour belongs to a leverage, whichever others are shown', () => {
    for (const theme of ['dark', 'light'] as const) {
        const colours = [3, 5, 10, 20, 25, 50, 75, 100].map((leverage) => leverageColour(theme, leverage));
        assert.equal(new Set(colours).size, colours.length);
        assert.equal(leverageColour(theme, 125), leverageColour(theme, 100), 'beyond the scale its end');
        for (const colour of colours) assert.match(colour, /^rgb\(\d+ \d+ \d+\)$/);
    }
});
