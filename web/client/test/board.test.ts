import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Board } from '../src/model/board.ts';
import type { DeltaFrame, Level, SnapshotFrame } from '../src/wire/frames.ts';
import { StateHash } from '../src/wire/hash.ts';

function hashOf(levels: readonly Level[]): string {
    const hash = new StateHash();
    for (const level of levels) hash.add(level.price, level.long_density, level.short_density);
    return hash.text();
}

const level = (price: number, long: number, short: number): Level => ({ price, long_density: long, short_density: short });
const numbers = { current_price: 100, positions_created: 1, positions_consumed: 2 };

function snapshot(seq: number, levels: Level[], epoch = 'e', hash = hashOf(levels)): SnapshotFrame {
    return { type: 'snapshot', symbol: 'S', timestamp: 't', epoch, seq, hash, data: { levels, ...numbers } };
}

function delta(from: number, seq: number, levels: Level[], hash: string, epoch = 'e'): DeltaFrame {
    return { type: 'delta', symbol: 'S', timestamp: 't', epoch, from, seq, hash, data: { levels, ...numbers } };
}

test('a snapshot and its differences lead to the whole state, sorted', () => {
    const board = new Board('S');
    assert.equal(board.snapshot(), null);
    assert.deepEqual(board.applySnapshot(snapshot(1, [level(200, 1, 0), level(100, 2, 3)])), { kind: 'applied' });
    const after = [level(100, 2, 9), level(150, 4, 0)];
    const change = [level(200, 0, 0), level(150, 4, 0), level(100, 2, 9)];
    assert.deepEqual(board.applyDelta(delta(1, 2, change, hashOf(after))), { kind: 'applied' });
    const whole = board.snapshot();
    assert.deepEqual(whole?.data.levels, after);
    assert.equal(whole?.hash, hashOf(after));
    assert.deepEqual(board.position(), { epoch: 'e', seq: 2 });
});

test('the same state twice is a duplicate, by either kind of frame', () => {
    const board = new Board('S');
    board.applySnapshot(snapshot(5, [level(1, 1, 1)]));
    assert.equal(board.applySnapshot(snapshot(5, [level(1, 1, 1)])).kind, 'duplicate');
    assert.equal(board.applyDelta(delta(4, 5, [], hashOf([level(1, 1, 1)]))).kind, 'duplicate');
});

test('a difference from another state or epoch is a gap and changes nothing', () => {
    const board = new Board('S');
    assert.equal(board.applyDelta(delta(1, 2, [], '0')).kind, 'gap', 'there is no state yet');
    board.applySnapshot(snapshot(5, [level(1, 1, 1)]));
    assert.equal(board.applyDelta(delta(6, 7, [level(1, 9, 9)], '0')).kind, 'gap');
    assert.equal(board.applyDelta(delta(5, 6, [level(1, 9, 9)], '0', 'other')).kind, 'gap');
    assert.deepEqual(board.snapshot()?.data.levels, [level(1, 1, 1)]);
});

test('a difference from further back leads on, because values are absolute; one that leads back is old', () => {
    const board = new Board('S');
    board.applySnapshot(snapshot(5, [level(1, 1, 1)]));
    assert.equal(board.applyDelta(delta(3, 4, [level(1, 9, 9)], '0')).kind, 'duplicate');
    const both = [level(1, 1, 1), level(2, 2, 2)];
    assert.equal(board.applyDelta(delta(3, 7, both, hashOf(both))).kind, 'applied');
    assert.deepEqual(board.snapshot()?.data.levels, both);
});

test('a wrong hash is reported, and nothing can be built on that state', () => {
    const board = new Board('S');
    const outcome = board.applySnapshot(snapshot(5, [level(1, 1, 1)], 'e', 'ffffffffffffffff'));
    assert.equal(outcome.kind, 'mismatch');
    assert.equal(board.position(), null);
    assert.equal(board.applyDelta(delta(5, 6, [], '0')).kind, 'gap');
    assert.equal(board.applySnapshot(snapshot(6, [level(1, 1, 1)])).kind, 'applied');
});

test('a handed out state does not change afterwards', () => {
    const board = new Board('S');
    board.applySnapshot(snapshot(1, [level(1, 1, 1)]));
    const before = board.snapshot();
    board.applyDelta(delta(1, 2, [level(1, 5, 5)], hashOf([level(1, 5, 5)])));
    assert.deepEqual(before?.data.levels, [level(1, 1, 1)]);
});

test('states without versions and hashes are taken as they come', () => {
    const board = new Board('S');
    const bare: SnapshotFrame = { type: 'snapshot', symbol: 'S', timestamp: 't', data: { levels: [level(1, 1, 0)], ...numbers } };
    assert.equal(board.applySnapshot(bare).kind, 'applied');
    assert.equal(board.applySnapshot(bare).kind, 'applied');
    assert.equal(board.position(), null);
});

test('random differences keep the state equal to a map kept beside it', () => {
    let state = 12345;
    const random = (): number => {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        return state / 4294967296;
    };
    const truth = new Map<number, Level>();
    const board = new Board('S');
    board.applySnapshot(snapshot(0, []));
    for (let seq = 1; seq <= 500; seq++) {
        const change = Array.from({ length: Math.floor(random() * 8) }, () => {
            const gone = random() < 0.3;
            return level(Math.floor(random() * 60) * 0.1, gone ? 0 : Math.floor(random() * 1e6), gone ? 0 : Math.floor(random() * 1e6));
        });
        for (const each of change) {
            if (each.long_density + each.short_density === 0) truth.delete(each.price);
            else truth.set(each.price, each);
        }
        const all = [...truth.values()].sort((a, b) => a.price - b.price);
        assert.equal(board.applyDelta(delta(seq - 1, seq, change, hashOf(all))).kind, 'applied');
        assert.deepEqual(board.snapshot()?.data.levels, all);
    }
});
