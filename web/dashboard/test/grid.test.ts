import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeGrid, encodeGrid, GridError } from '../src/wire/grid.ts';

const HEADER = {
    symbol: 'BTCUSDT', venue: 'sim', epoch: 'e', as_of: 3_000, start: 1_000, column_ms: 1_000, columns: 2, rows: 3,
    price_low: 97_000, bin: 100, usd_min: 1_000, usd_max: 1_000_000, state: 'replay', seen_share: 0.5,
};
const LONG = Uint8Array.of(1, 2, 3, 4, 5, 6);
const SHORT = Uint8Array.of(0, 0, 0, 255, 254, 0);

test('a grid survives being written and read', () => {
    const grid = decodeGrid(encodeGrid(HEADER, LONG, SHORT));
    assert.deepEqual([...grid.long], [...LONG]);
    assert.deepEqual([...grid.short], [...SHORT]);
    assert.equal(grid.header.rows, 3);
    assert.equal(grid.header.seen_share, 0.5);
});

test('a grid inside a larger buffer is read from its own place', () => {
    const bytes = encodeGrid(HEADER, LONG, SHORT);
    const larger = new Uint8Array(bytes.length + 7);
    larger.set(bytes, 3);
    const grid = decodeGrid(larger.subarray(3, 3 + bytes.length));
    assert.deepEqual([...grid.short], [...SHORT]);
});

test('every cut and every broken header is refused by name', () => {
    const bytes = encodeGrid(HEADER, LONG, SHORT);
    for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeGrid(bytes.slice(0, length)), GridError, `cut to ${length}`);
    }
    assert.throws(() => decodeGrid(encodeGrid({ ...HEADER, bin: 0 }, LONG, SHORT)), /bin = 0/);
    assert.throws(() => decodeGrid(encodeGrid({ ...HEADER, start: 'x' }, LONG, SHORT)), /start = "x"/);
    assert.throws(() => decodeGrid(encodeGrid({ ...HEADER, columns: 1e9 }, LONG, SHORT)), /too large/);
    const wrong = bytes.slice();
    wrong[0] = 88;
    assert.throws(() => decodeGrid(wrong), /begins with "XQG1"/);
});
