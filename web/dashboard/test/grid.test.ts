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
        [
            'both sides',
            'by leverage',
            'both sides, price-major',
            'by leverage, price-major',
            'both sides, predicted',
            'by leverage, predicted',
        ],
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
            const nearest = usd.map((each) => steps.step(each));
            if (!name.endsWith('predicted')) assert.deepEqual([...plane], nearest, `${name}: both round alike`);
            assert.equal(plane.length, nearest.length);
            for (const [cell, step] of nearest.entries()) {
                const got = plane[cell] ?? -1;
                assert.ok(Math.abs(got - step) <= 1 && (got === 0) === (step === 0), `${name}: ${got} for ${step}`);
            }
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

test('a cut grid of the second layout is refused, and so is a fourth layout', () => {
    const bytes = priceMajor(encodeGrid(HEADER, LONG, SHORT));
    for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeGrid(bytes.slice(0, length)), GridError, `cut to ${length}`);
    }
    bytes[3] = '4'.charCodeAt(0);
    assert.throws(() => decodeGrid(bytes), /begins with "LQG4", expected "LQG1", "LQG2" or "LQG3"/);
});

/** A grid of the third layout: a plane is a drift for each column and one byte a cell. */
function predictedGrid(header: object, ...planes: readonly (readonly number[])[]): Uint8Array {
    const bytes = encodeGrid(header, Uint8Array.from(planes.flat()), new Uint8Array());
    bytes[3] = '3'.charCodeAt(0);
    return bytes;
}

test('columns of the third layout are moved by their drift', () => {
    const header = { ...HEADER, columns: 4, rows: 2 };
    // 200 and 16 / 32 round upwards to 201, 127 / 32 less to 197; 50 more is a new level. The second row begins in column 1.
    const long = [0, 16, 256 - 127, 0, 200, 0, 0, 9, 0, 256 - 9, 50, 255];
    // Beyond the ends of the scale: held at 1 and at 255.
    const short = [0, 127, 256 - 127, 256 - 127, 1, 255, 256 - 1, 0, 0, 0, 254, 1];
    const grid = decodeGrid(predictedGrid(header, long, short));
    assert.deepEqual([...grid.long], [200, 0, 201, 9, 197, 252, 247, 251]);
    assert.deepEqual([...grid.short], [1, 255, 4, 255, 1, 251, 255, 248]);
});

test('a grid of the third layout is refused unless it has every byte, and any bytes have a meaning', () => {
    const column = [1, 2, 3, 4];
    const bytes = predictedGrid(HEADER, column, column, column, column);
    assert.equal(decodeGrid(bytes).long.length, 6);
    for (let length = 0; length < bytes.length; length++) {
        assert.throws(() => decodeGrid(bytes.slice(0, length)), GridError, `cut to ${length}`);
    }
    assert.throws(() => decodeGrid(predictedGrid(HEADER, column, column, column)), /grid of 2 x 3 has 12 plane bytes, expected 16/);
    assert.throws(() => decodeGrid(predictedGrid(HEADER, column, column, column, column, [0])), /has 17 plane bytes, expected 16/);
    let seed = 5;
    for (let round = 0; round < 200; round++) {
        const random = Array.from({ length: 16 }, () => {
            seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
            return seed >> 12;
        });
        const grid = decodeGrid(predictedGrid(HEADER, random));
        assert.equal(grid.long.length + grid.short.length, 12);
    }
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
