/** The watch list as pure functions: what stands in a row, in which order, and what is watched at first. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nearness, sortedRows, WATCHED_MAX, watchedOf, watchRow } from '../src/model/watch-list.ts';
import { parseWalls, type ServedWall, type ServedWalls } from '../src/wire/walls.ts';

const wall = (side: 'long' | 'short', distance: number, share = 0.1): ServedWall => ({ side, low: 1, high: 2, usd: 1e6, share, distance });

const walls = (symbol: string, price: number, list: ServedWall[]): ServedWalls => ({ symbol, asOf: 0, price, state: 'live', walls: list });

test('a row has the nearest wall of each side, and small ones do not count', () => {
    const row = watchRow(
        'A',
        walls('A', 110, [wall('long', -0.05), wall('long', -0.02), wall('long', -0.001, 0.01), wall('short', 0.03)]),
        100,
    );
    assert.deepEqual([row.long?.distance, row.short?.distance], [-0.02, 0.03]);
    assert.ok(Math.abs((row.change ?? 0) - 0.1) < 1e-12);
    assert.equal(nearness(row), 0.02);
    assert.equal(watchRow('A', walls('A', 1, []), undefined).change, null);
    assert.deepEqual(watchRow('A', undefined, 100), { symbol: 'A', price: null, change: null, long: null, short: null, state: '' });
});

test('rows are sorted by the nearest wall, by the largest move or by name; what is not known comes last', () => {
    const rows = [
        watchRow('C', undefined, undefined),
        watchRow('B', walls('B', 100, [wall('short', 0.01)]), 99),
        watchRow('D', walls('D', 100, []), 110),
        watchRow('A', walls('A', 100, [wall('long', -0.03)]), undefined),
    ];
    const order = (by: 'near' | 'change' | 'name'): string =>
        sortedRows(rows, by)
            .map(({ symbol }) => symbol)
            .join('');
    assert.equal(order('near'), 'BACD');
    assert.equal(order('change'), 'DBAC');
    assert.equal(order('name'), 'ABCD');
});

test('what is stored is watched as far as it is served; otherwise the first of the list', () => {
    const served = Array.from({ length: 300 }, (_, at) => `S${at}`);
    assert.deepEqual(watchedOf('["S9","GONE","S2","S9",7]', served), ['S9', 'S2']);
    assert.deepEqual(watchedOf('[]', served), [], 'an empty list was somebody’s wish');
    for (const text of [null, '{', '{}', '7']) assert.equal(watchedOf(text, served).length, 8);
    assert.equal(watchedOf(JSON.stringify(served), served).length, WATCHED_MAX);
});

test('walls of a server are checked', () => {
    const body = { symbol: 'A', as_of: '2025-12-28T14:30:00Z', state: 'live', current_price: 5, walls: [] };
    assert.equal(parseWalls(body).price, 5);
    assert.throws(() => parseWalls({ ...body, current_price: null }), /current_price is not a number/);
    assert.throws(() => parseWalls({ ...body, walls: [{}] }), /low is not a number/);
});
