import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Steps } from '../src/model/steps.ts';
import { decodeGrid, encodeGrid, GridError } from '../src/wire/grid.ts';
import { priceMajor } from './price-major.ts';

const HEADER = {
    symbol: 'BTCUSDT',
    venue: 'sim',
    epoch: 'e',
    as_of: 3_000,
    start: 1_000,
    column_ms: 1_000,
    columns: 2,
    rows: 3,
    price_low: 97_000,
    bin: 100,
    usd_min: 1_000,
    usd_max: 1_000_000,
    state: 'replay',
    seen_share: 0.5,
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

test('grids that the server wrote are read to the cell', () => {
    const golden = JSON.parse(readFileSync(new URL('../../../../crates/wire/golden/grid.json', import.meta.url), 'utf8')) as {
        cases: { name: string; hex: string; header: Record<string, unknown>; long: number[]; short: number[]; classes: number[][] }[];
    };
    assert.deepEqual(
        golden.cases.map(({ name }) => name),
        ['both sides', 'by leverage', 'both sides, price-major', 'by leverage, price-major'],
    );
    for (const { name, hex, header, long, short, classes } of golden.cases) {
        const grid = decodeGrid(Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16)));
        const { venue, ...known } = header;
        assert.equal(venue, 'sim');
        assert.deepEqual(grid.header, { leverages: [], ...known }, name);
        const steps = new Steps(grid.header.usd_min, grid.header.usd_max);
        const planes: [Uint8Array, number[]][] = [
            [grid.long, long],
            [grid.short, short],
        ];
        for (const [place, plane] of grid.classes.entries()) planes.push([plane, classes[place] ?? []]);
        assert.equal(planes.length, 2 + classes.length);
        for (const [plane, usd] of planes) {
            assert.deepEqual(
                [...plane],
                usd.map((each) => steps.step(each)),
                `${name}: both round alike`,
            );
        }
    }
});

test('both layouts are read to the same planes, whatever the size', () => {
    let seed = 7;
    const random = (below: number): number => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return Math.floor((seed / 2 ** 31) * below);
    };
    for (const [columns, rows] of [
        [1, 1],
        [7, 1],
        [1, 200],
        [33, 63],
        [5, 64],
        [40, 65],
        [0, 9],
    ] as const) {
        const cells = (): Uint8Array => Uint8Array.from({ length: columns * rows }, () => (random(3) === 0 ? 0 : random(256)));
        const header = { ...HEADER, columns, rows, leverages: [10] };
        const bytes = encodeGrid(header, cells(), cells(), [cells()]);
        const [plain, packed] = [decodeGrid(bytes), decodeGrid(priceMajor(bytes))];
        assert.deepEqual(packed, plain, `${columns} x ${rows}`);
    }
});

test('a cut grid of the second layout is refused, and so is a third layout', () => {
    const bytes = priceMajor(encodeGrid(HEADER, LONG, SHORT));
    for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeGrid(bytes.slice(0, length)), GridError, `cut to ${length}`);
    }
    bytes[3] = '3'.charCodeAt(0);
    assert.throws(() => decodeGrid(bytes), /begins with "LQG3", expected "LQG1" or "LQG2"/);
});

test('a plane a leverage is read, and broken lists of leverages are refused', () => {
    const classes = [Uint8Array.of(1, 1, 1, 1, 1, 1), Uint8Array.of(2, 2, 2, 2, 2, 2)];
    const grid = decodeGrid(encodeGrid({ ...HEADER, leverages: [10, 50] }, LONG, SHORT, classes));
    assert.deepEqual(grid.header.leverages, [10, 50]);
    assert.deepEqual(
        grid.classes.map((plane) => [...plane]),
        classes.map((plane) => [...plane]),
    );
    for (const leverages of ['10', [10, '50'], [10, -1], [10], [10, 25, 50], Array.from({ length: 17 }, (_, n) => n + 1)]) {
        assert.throws(() => decodeGrid(encodeGrid({ ...HEADER, leverages }, LONG, SHORT, classes)), GridError, JSON.stringify(leverages));
    }
});
