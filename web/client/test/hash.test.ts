import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { StateHash } from '../src/wire/hash.ts';

type Cell = [price: number, long: number, short: number];

function hashOf(cells: readonly Cell[]): string {
    const hash = new StateHash();
    for (const [price, long, short] of cells) hash.add(price, long, short);
    return hash.text();
}

/** The definition once more, with BigInt and no cleverness. */
function reference(cells: readonly Cell[]): string {
    const mask = 0xffff_ffffn;
    const lane = (seed: bigint, multiplier: bigint): string => {
        let sum = 0n;
        for (const [price, long, short] of cells) {
            if (long === 0 && short === 0) continue;
            let h = seed;
            for (const n of [BigInt(Math.round(price * 1e8)), BigInt(long), BigInt(short)]) {
                for (const word of [n & mask, n >> 32n]) {
                    h = ((h ^ word) * multiplier) & mask;
                    h = ((h << 13n) | (h >> 19n)) & mask;
                }
            }
            h ^= h >> 16n;
            h = (h * 0xc2b2ae35n) & mask;
            h ^= h >> 16n;
            sum = (sum + h) & mask;
        }
        return sum.toString(16).padStart(8, '0');
    };
    return lane(0x9747b28cn, 0x85ebca6bn) + lane(0x3c6ef372n, 0xcc9e2d51n);
}

const CASES: readonly Cell[][] = [
    [],
    [[98_000, 1_500_000, 200_000]],
    [[98_000, 0, 0]],
    [
        [0.2, 1, 0],
        [0.3, 0, 7],
        [3_400.5, 4_294_967_296, 4_294_967_295],
    ],
    [
        [123_456.78, 9_007_199_254_740_991, 1],
        [100_000, 5_000_000_000, 0],
    ],
];

test('agrees with the definition', () => {
    for (const cells of CASES) assert.equal(hashOf(cells), reference(cells), JSON.stringify(cells));
});

test('does not depend on order, and removing undoes adding', () => {
    const cells = CASES[3] ?? [];
    assert.equal(hashOf([...cells].reverse()), hashOf(cells));
    const hash = new StateHash();
    for (const [price, long, short] of cells) hash.add(price, long, short);
    hash.add(99, 3, 4);
    hash.remove(99, 3, 4);
    assert.equal(hash.text(), hashOf(cells));
});

test('agrees with the golden file of the server', (context) => {
    // From `web/.build/client/test` to the repository's root.
    const path = new URL('../../../../crates/wire/golden/hash.json', import.meta.url);
    if (!existsSync(path)) {
        context.skip('no golden file yet');
        return;
    }
    const golden = JSON.parse(readFileSync(path, 'utf8')) as { cases: { cells: Cell[]; hash: string }[] };
    assert.ok(golden.cases.length > 0);
    for (const { cells, hash } of golden.cases) assert.equal(hashOf(cells), hash, JSON.stringify(cells));
});
