/** Measured positions over time: how much of the market they are, where nothing was measured, and whose candles are shown with them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { rangeQueries } from '../src/data/range-query.ts';
import { compose } from '../src/model/compose.ts';
import { Coverage, coveredWords } from '../src/model/coverage.ts';
import { Heat } from '../src/model/heat.ts';
import { intervalMs } from '../src/model/ranges.ts';
import { planOf, type Stored, TILE_COLUMNS } from '../src/model/tile-plan.ts';
import { estimateOf, findSymbol, isLayer, layerOf, marketOf, partsOf, venueLabel } from '../src/model/venues.ts';
import { addressOf, viewFromAddress } from '../src/state/address.ts';
import { DEFAULT_VIEW, reduce } from '../src/state/view.ts';
import { parseSymbols } from '../src/wire/answers.ts';
import { decodeGrid, encodeGrid, type Grid } from '../src/wire/grid.ts';

const LAYER = 'BTCUSDT@hyperliquid:measured';
const FIVE = 300_000;

function gridOf(coverage: [(number | null)[], (number | null)[]], cells: number[], start = 10 * FIVE): Grid {
    const columns = coverage[0].length;
    const header = {
        symbol: LAYER,
        venue: 'hyperliquid',
        epoch: 'e',
        as_of: start + columns * FIVE - 60_000,
        start,
        column_ms: FIVE,
        columns,
        rows: 2,
        price_low: 100,
        bin: 10,
        usd_min: 10,
        usd_max: 1_000,
        state: 'live',
        seen_share: 0,
        coverage_long: coverage[0],
        coverage_short: coverage[1],
    };
    return decodeGrid(encodeGrid(header, Uint8Array.from(cells), new Uint8Array(cells.length)));
}

test('a grid of measured positions says its coverage, and nothing of what a model saw', () => {
    const { header } = gridOf(
        [
            [0.5, null],
            [0, -1],
        ],
        [1, 0, 0, 0],
    );
    assert.deepEqual(header.coverage, { long: [0.5, null], short: [0, null] });
    assert.equal(header.seen_share, null);
    const { coverage_long: _, ...plain } = {
        ...header,
        coverage_long: undefined,
    };
    const estimate = decodeGrid(encodeGrid({ ...plain, coverage: undefined, seen_share: 0.5 }, new Uint8Array(4), new Uint8Array(4)));
    assert.equal(Coverage.of(estimate), null);
    assert.equal(estimate.header.seen_share, 0.5);
});

test('a column without coverage is a hole only where it is empty', () => {
    // Measured, a hole, measured while the open interest was unknown, measured without a level in sight.
    const coverage =
        Coverage.of(
            gridOf(
                [
                    [0.5, null, null, 0.25],
                    [0.4, null, null, null],
                ],
                [1, 0, 0, 0, 0, 7, 0, 0],
            ),
        ) ?? assert.fail();
    const at = (column: number): unknown => coverage.at((10 + column) * FIVE + 1);
    assert.deepEqual(
        [at(0), at(1), at(2), at(3)],
        [{ long: 0.5, short: 0.4 }, null, { long: null, short: null }, { long: 0.25, short: null }],
    );
    assert.equal(at(-1), null, 'before the picture');
    assert.deepEqual(at(9), at(3), 'what is known last goes on');
    assert.deepEqual(coverage.holes(0), [{ from: 11 * FIVE, to: 12 * FIVE }]);
});

test('what is learned of a moment holds from then on, and a hole reaches up to now', () => {
    const coverage =
        Coverage.of(
            gridOf(
                [
                    [0.5, 0.5],
                    [0.5, 0.5],
                ],
                [1, 1, 1, 1],
            ),
        ) ?? assert.fail();
    const end = 12 * FIVE;
    coverage.learn(end - 2 * FIVE, null);
    assert.deepEqual(coverage.holes(end), [], 'older than the history');
    coverage.learn(end + FIVE, { long: 0.6, short: 0.7 });
    coverage.learn(end + 2 * FIVE, null);
    coverage.learn(end + 2 * FIVE, { long: 1, short: 1 });
    assert.deepEqual(coverage.at(end), { long: 0.5, short: 0.5 });
    assert.deepEqual(coverage.at(end + FIVE), { long: 0.6, short: 0.7 });
    assert.equal(coverage.at(end + 3 * FIVE), null, 'a moment is learned once');
    assert.deepEqual(coverage.holes(end + 4 * FIVE), [{ from: end + 2 * FIVE, to: end + 4 * FIVE }]);
});

test('tiles of measured positions are joined with their coverage', () => {
    const first = gridOf(
        [
            [0.5, null],
            [0.5, null],
        ],
        [1, 0, 0, 0],
    );
    const second = gridOf(
        [
            [null, 0.7],
            [null, 0.8],
        ],
        [0, 0, 2, 0],
        12 * FIVE,
    );
    const joined = compose([first, second]);
    assert.deepEqual(joined.header.coverage, { long: [0.5, null, null, 0.7], short: [0.5, null, null, 0.8] });
    assert.deepEqual(Coverage.of(joined)?.holes(0), [{ from: 11 * FIVE, to: 13 * FIVE }]);
});

test('an empty last column of measured positions stays empty', () => {
    const heat = new Heat(
        gridOf(
            [
                [0.5, null],
                [0.5, null],
            ],
            [9, 9, 0, 0],
        ),
    );
    assert.deepEqual([...heat.long.subarray(0, 4)], [9, 9, 0, 0]);
});

test('coverage in words', () => {
    assert.equal(coveredWords({ long: 0.512, short: 0.004 }), '51 % of longs, 0.4 % of shorts');
    assert.equal(coveredWords({ long: null, short: 0.4 }), '40 % of shorts');
    assert.equal(coveredWords({ long: null, short: null }), null);
});

test('a layer is found beside its estimate, whose candles and past it has', () => {
    const { symbols, layers } = parseSymbols({
        symbols: [
            { symbol: 'BTCUSDT', venues: ['okx', 'hyperliquid'], interval: '1m', first: 5, last: 9, base_bin: 100, leverages: [5] },
            { symbol: LAYER, venue: 'hyperliquid', venues: ['hyperliquid'], interval: '1m', last: 8, base_bin: null, measured: true },
            { symbol: 'ETHUSDT@hyperliquid:measured', venue: 'hyperliquid', measured: true },
        ],
    });
    const info = findSymbol(symbols, LAYER, layers) ?? assert.fail();
    assert.equal(info.estimate, 'BTCUSDT@hyperliquid');
    assert.deepEqual([info.first, info.last, info.interval, info.baseBin, info.leverages], [5, 8, '1m', 100, []]);
    assert.equal(marketOf(info), 'BTCUSDT@hyperliquid');
    assert.equal(marketOf(symbols[0] ?? assert.fail()), 'BTCUSDT');
    assert.equal(findSymbol(symbols, 'ETHUSDT@hyperliquid:measured', layers), undefined, 'nothing is known of its market');
    assert.equal(findSymbol(symbols, LAYER), undefined);
    assert.deepEqual(partsOf(LAYER), { base: 'BTCUSDT', venue: 'hyperliquid:measured' });
    assert.deepEqual([venueLabel('hyperliquid:measured'), venueLabel('okx')], ['hyperliquid, measured', 'okx']);
    assert.deepEqual([isLayer(LAYER), isLayer('BTCUSDT@hyperliquid')], [true, false]);
    assert.deepEqual([estimateOf(LAYER), estimateOf('BTCUSDT')], ['BTCUSDT@hyperliquid', 'BTCUSDT']);
    assert.equal(layerOf([LAYER], LAYER), LAYER);
    const range = { id: '12h', ms: 12 * 3_600_000 };
    const { candles, grid } = rangeQueries(info, range, '', 100, 999 * FIVE + 7);
    assert.equal(candles.symbol, 'BTCUSDT@hyperliquid');
    assert.deepEqual(grid, { symbol: LAYER, from: 999 * FIVE - range.ms, columns: 1_000 }, 'the whole range, whenever measuring began');
    assert.equal(rangeQueries(symbols[0] ?? assert.fail(), range, '', 100).grid.range, '12h');
});

test('tiles of measured positions are as fine as they are stored', () => {
    const stored: Stored = { first: 0, now: 1e12, interval: '1m', baseBin: 100, finest: { columnMs: FIVE, bin: 100 } };
    const viewport = { from: 9.9e11, to: 9.9e11 + 3_600_000, low: 99_000, high: 101_000, width: 1_000, height: 800 };
    const plan = planOf(viewport, stored, null);
    assert.equal(plan.columnMs, FIVE);
    assert.equal(plan.prices.bin, 100);
    assert.ok(plan.near.every(({ from, to }) => to - from === TILE_COLUMNS * FIVE && from % FIVE === 0));
    assert.equal(plan.interval, '1m', 'candles are finer');
    const { finest: _, ...estimate } = stored;
    assert.equal(planOf(viewport, estimate, null).columnMs, intervalMs('1m'));
    const wide = planOf({ ...viewport, from: 9e11 }, stored, null);
    assert.equal(wide.columnMs % FIVE, 0);
});

test('measured positions stand in the address, and have no map by leverage', () => {
    const view = reduce(DEFAULT_VIEW, { kind: 'open', symbol: LAYER });
    const address = addressOf(view);
    assert.match(address, /symbol=BTCUSDT@hyperliquid:measured/);
    assert.equal(viewFromAddress(address).symbol, LAYER);
    assert.equal(viewFromAddress(`?symbol=btcusdt@HYPERLIQUID:measured&view=map`).pane, 'heatmap');
    assert.equal(reduce(view, { kind: 'next', what: 'pane' }).pane, 'heatmap');
    assert.equal(reduce({ ...DEFAULT_VIEW, symbol: 'BTCUSDT', pane: 'map' }, { kind: 'open', symbol: LAYER }).pane, 'heatmap');
    assert.equal(viewFromAddress(`?symbol=BTCUSDT&charts=BTCUSDT@hyperliquid:measured`).charts[0], LAYER);
});
