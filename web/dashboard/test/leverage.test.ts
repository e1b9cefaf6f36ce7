/** The leverage filter of the picture, against sums made the slow way. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heat } from '../src/model/heat.ts';
import { Steps } from '../src/model/steps.ts';
import { parseLeverageLevels } from '../src/wire/answers.ts';
import type { Grid } from '../src/wire/grid.ts';
import { seeded } from './synthetic-market.ts';

const MINUTE = 60_000;
const LEVERAGES = [5, 25, 100];
const COLUMNS = 12;
const ROWS = 40;

/** A grid whose cells have random parts, and those parts in dollars. */
function made(seed: number): { grid: Grid; parts: number[][] } {
    const random = seeded(seed);
    const steps = new Steps(1_000, 1e8);
    const cells = COLUMNS * ROWS;
    const parts = Array.from({ length: cells }, () => LEVERAGES.map(() => (random() < 0.4 ? 0 : 1_000 * 10 ** (random() * 4))));
    const total = (cell: number): number => (parts[cell] ?? []).reduce((a, b) => a + b, 0);
    // Longs below row 20, shorts above, both in between.
    const plane = (has: (row: number) => number): Uint8Array =>
        Uint8Array.from({ length: cells }, (_, cell) => steps.step(total(cell) * has(cell % ROWS)));
    const grid: Grid = {
        header: {
            symbol: 'S',
            epoch: 'e',
            as_of: COLUMNS * MINUTE,
            start: 0,
            column_ms: MINUTE,
            columns: COLUMNS,
            rows: ROWS,
            price_low: 100,
            bin: 10,
            usd_min: 1_000,
            usd_max: 1e8,
            state: 'live',
            seen_share: 1,
            leverages: LEVERAGES,
        },
        long: plane((row) => (row < 20 ? 1 : row === 20 ? 0.25 : 0)),
        short: plane((row) => (row > 20 ? 1 : row === 20 ? 0.75 : 0)),
        classes: LEVERAGES.map((_, place) => Uint8Array.from(parts, (each) => steps.step(each[place] ?? 0))),
    };
    return { grid, parts };
}

/** The leverages of the cell at a time and price. */
function leveragesAt(heat: Heat, time: number, price: number): number[] {
    const cell = heat.read(time, price)?.cell;
    return cell === undefined ? [] : heat.partsOf(cell).map(({ leverage }) => leverage);
}

/** Every shown cell in dollars, longs and shorts. */
function shown(heat: Heat): [long: number, short: number][] {
    return Array.from({ length: COLUMNS * ROWS }, (_, cell) => [
        heat.steps.usd(heat.long[cell] ?? 0),
        heat.steps.usd(heat.short[cell] ?? 0),
    ]);
}

test('what is shown is the sum of the shown classes, on the side it is on', () => {
    for (let seed = 1; seed <= 20; seed++) {
        const { grid, parts } = made(seed);
        const heat = new Heat(grid);
        for (const wanted of [[5], [25], [100], [5, 100], [25, 100]]) {
            heat.filter(new Set(wanted));
            for (const [cell, [long, short]] of shown(heat).entries()) {
                const expected = LEVERAGES.reduce(
                    (sum, leverage, place) => sum + (wanted.includes(leverage) ? (parts[cell]?.[place] ?? 0) : 0),
                    0,
                );
                const row = cell % ROWS;
                const longs = expected * (row < 20 ? 1 : row === 20 ? 0.25 : 0);
                const shorts = expected * (row > 20 ? 1 : row === 20 ? 0.75 : 0);
                // Two roundings to steps of 4.6 %; the least that is shown is the scale's beginning.
                for (const [got, want] of [
                    [long, longs],
                    [short, shorts],
                ] as const) {
                    assert.ok(Math.abs(got - want) <= 0.08 * want + (want < 2_000 ? 1_000 : 0), `cell ${cell}: ${got} for ${want}`);
                    if (expected === 0) assert.equal(got, 0);
                }
            }
        }
    }
});

test('what is shown and what is hidden are the whole, also where classes are a step from the amount', () => {
    for (let seed = 30; seed < 40; seed++) {
        const { grid } = made(seed);
        const random = seeded(seed + 1_000);
        for (const plane of grid.classes) {
            for (const [cell, q] of plane.entries())
                if (q !== 0) plane[cell] = Math.min(255, Math.max(1, q + Math.round(random() * 2 - 1)));
        }
        const heat = new Heat(grid);
        const whole = shown(heat);
        for (const wanted of [[5], [5, 25]]) {
            heat.filter(new Set(wanted));
            const kept = shown(heat);
            heat.filter(new Set(LEVERAGES.filter((each) => !wanted.includes(each))));
            for (const [cell, rest] of shown(heat).entries()) {
                for (const side of [0, 1] as const) {
                    const want = whole[cell]?.[side] ?? 0;
                    const got = rest[side] + (kept[cell]?.[side] ?? 0);
                    // Either part is rounded to the nearest step, or up to the scale's beginning.
                    assert.ok(Math.abs(got - want) <= 0.024 * want + 1_000, `cell ${cell}: ${got} for ${want}`);
                }
            }
        }
    }
});

test('showing everything again is the picture as it came, to the byte', () => {
    const { grid } = made(3);
    const heat = new Heat(grid);
    const before = [heat.long.slice(), heat.short.slice(), heat.peak()];
    assert.equal(heat.filter(new Set([5])), true);
    assert.notDeepEqual(heat.long, before[0]);
    assert.equal(heat.filter(new Set([5])), false, 'nothing changes when nothing changed');
    assert.equal(heat.filter(new Set(LEVERAGES)), true);
    assert.deepEqual([heat.long, heat.short, heat.peak()], before);
    assert.equal(heat.isFiltered(), false);
    assert.equal(heat.filter(null), false);
});

test('hiding everything leaves nothing, and a changed filter paints all columns', () => {
    const heat = new Heat(made(4).grid);
    heat.takeDirtyFrom();
    heat.filter(new Set());
    assert.equal(heat.takeDirtyFrom(), 0);
    assert.ok(heat.long.every((q) => q === 0) && heat.short.every((q) => q === 0));
    assert.equal(heat.peak(), 0);
    assert.deepEqual(heat.newestLevels(), []);
});

const levels = (long: [price: number, usd: number, leverage: number][]): ReturnType<typeof parseLeverageLevels> =>
    parseLeverageLevels({
        symbol: 'S',
        model: 'm',
        current_price: 300,
        short_liquidations: [],
        long_liquidations: long.map(([price_level, volume, leverage]) => ({ price_level, volume, leverage: `${leverage}x` })),
    });

test('the live edge is filtered by what the server says of now, and else like the column before', () => {
    const { grid } = made(5);
    for (const plane of [grid.long, grid.short, ...grid.classes]) plane.fill(0);
    const steps = new Steps(1_000, 1e8);
    // Row 3 is all 25x at first.
    grid.long[(COLUMNS - 1) * ROWS + 3] = steps.step(50_000);
    grid.classes[1]?.set([steps.step(50_000)], (COLUMNS - 1) * ROWS + 3);
    const heat = new Heat(grid);
    heat.filter(new Set([100]));
    const at = (price: number): number => heat.read((COLUMNS + 0.5) * MINUTE, price)?.longUsd ?? -1;
    const live = (price: number, usd: number): { price: number; long_density: number; short_density: number } => ({
        price,
        long_density: usd,
        short_density: 0,
    });
    heat.paint((COLUMNS + 0.5) * MINUTE, 300, [live(130, 80_000), live(150, 60_000)]);
    assert.equal(at(131), 0, 'a row keeps the split it had');
    assert.equal(at(151), 0, 'a new row is split like the column');
    heat.paint(
        (COLUMNS + 0.6) * MINUTE,
        300,
        [live(130, 80_000), live(150, 60_000)],
        levels([
            [130, 3, 25],
            [130, 1, 100],
            [150, 9, 100],
        ]),
    );
    assert.ok(Math.abs(at(131) / 20_000 - 1) < 0.05, `a quarter is 100x: ${at(131)}`);
    assert.ok(Math.abs(at(151) / 60_000 - 1) < 0.05);
    assert.deepEqual(leveragesAt(heat, (COLUMNS + 0.6) * MINUTE, 131), [100]);
    heat.filter(null);
    assert.deepEqual(leveragesAt(heat, (COLUMNS + 0.6) * MINUTE, 131), [100, 25]);
    assert.ok(Math.abs(at(131) / 80_000 - 1) < 0.03, "the totals are the server's");
    assert.equal(heat.newestLevels().length, 2);
});

test('classes stay with their columns when the oldest ones go', () => {
    const { grid } = made(6);
    for (const plane of [grid.long, grid.short, ...grid.classes]) plane.fill(0);
    const heat = new Heat(grid);
    heat.filter(new Set([25]));
    for (let minute = COLUMNS; minute < 400; minute++) {
        const only = LEVERAGES[minute % 3] ?? 5;
        heat.paint((minute + 0.5) * MINUTE, 300, [{ price: 120, long_density: 1e6, short_density: 0 }], levels([[120, 1, only]]));
    }
    for (let minute = 390; minute < 400; minute++) {
        const usd = heat.read((minute + 0.5) * MINUTE, 121)?.longUsd ?? -1;
        assert.equal(usd > 9e5, minute % 3 === 1, `minute ${minute}: ${usd}`);
        heat.filter(null);
        assert.deepEqual(leveragesAt(heat, (minute + 0.5) * MINUTE, 121), [LEVERAGES[minute % 3]]);
        heat.filter(new Set([25]));
    }
});

test('a picture without classes shows everything whatever is hidden', () => {
    const { grid } = made(7);
    const heat = new Heat({ ...grid, header: { ...grid.header, leverages: [] }, classes: [] });
    assert.equal(heat.isSplit(), false);
    assert.equal(heat.filter(new Set([5])), false);
    assert.ok(heat.newestLevels().length > 10);
});
