import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Board } from '../src/model/board.ts';
import { parseBinary } from '../src/wire/binary.ts';
import { type Frame, parseFrame } from '../src/wire/frames.ts';

interface Case {
    name: string;
    hex: string;
    message: unknown;
}

/** Also written and read by the server's tests. */
function golden(name: string): unknown {
    return JSON.parse(readFileSync(new URL(`../../../../crates/wire/golden/${name}`, import.meta.url), 'utf8'));
}

const { cases } = golden('binary.json') as { cases: Case[] };

function bytes({ hex }: Case): Uint8Array {
    return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function refused(frame: Frame, part: string, what: string): void {
    assert.ok(frame.type === 'unknown' && frame.why.includes(part), `${what}: ${JSON.stringify(frame)}`);
}

test('every golden message is the same in both forms', () => {
    assert.ok(cases.length >= 9);
    for (const one of cases) {
        assert.deepEqual(parseBinary(bytes(one)), one.message, one.name);
        assert.deepEqual(parseFrame(JSON.stringify(one.message)), one.message, one.name);
    }
});

test('the hash of every golden state is the hash of its levels', () => {
    const snapshots = cases.map((one) => parseBinary(bytes(one))).filter((frame) => frame.type === 'snapshot');
    assert.ok(snapshots.length >= 5);
    for (const frame of snapshots) assert.equal(new Board(frame.symbol).applySnapshot(frame).kind, 'applied');
});

test('a message that is cut or too long is refused', () => {
    for (const one of cases) {
        const whole = bytes(one);
        for (let length = 0; length < whole.length; length++) {
            refused(parseBinary(whole.subarray(0, length)), '', `${one.name} cut to ${length} bytes`);
        }
        refused(parseBinary(Uint8Array.of(...whole, 0)), 'bytes after the end', one.name);
    }
});

test('of damaged messages exactly those are refused that the server refuses', () => {
    const damage = golden('damaged.json') as { bytes: number[]; accepted: Record<string, string> };
    let seen = 0;
    let still = 0;
    for (const one of cases) {
        const whole = bytes(one);
        const verdicts = damage.accepted[one.name];
        assert.equal(verdicts?.length, whole.length * damage.bytes.length, one.name);
        for (let at = 0; at < whole.length; at++) {
            for (const [place, byte] of damage.bytes.entries()) {
                const damaged = whole.slice();
                damaged[at] = byte;
                const accepted = parseBinary(damaged).type !== 'unknown';
                assert.equal(accepted ? '1' : '0', verdicts[at * damage.bytes.length + place], `${one.name}: byte ${at} is ${byte}`);
                seen += 1;
                still += accepted ? 1 : 0;
            }
        }
    }
    assert.ok(seen > 4_000 && still > 500 && still < seen - 500, `${still} of ${seen} accepted`);
});

/** A snapshot of one level at 3e-8 with 5 dollars of longs, up to where its levels begin; the number of them comes next. */
function head(): number[] {
    const nothing = cases.find(({ name }) => name === 'nothing');
    assert.ok(nothing);
    return [...bytes(nothing).slice(0, -1)];
}

test('what is never written is refused, with the reason', () => {
    const tail = (...levels: number[]): Frame => parseBinary(Uint8Array.from([...head(), ...levels]));
    // count 1, step 3, index 1, long: no zeros, one value, 5; short: one zero.
    assert.equal(tail(1, 3, 1, 0, 1, 5, 1).type, 'snapshot');
    for (const [levels, why] of [
        [[1, 0, 1, 0, 1, 5, 1], 'a step of zero'],
        [[9, 3, 1, 0, 1, 5, 1], 'ends too early'],
        [[1, 3, 1, 0, 2, 5, 5, 1], 'a run of the wrong length'],
        [[1, 3, 1, 2, 1, 5, 1], 'a run of the wrong length'],
        [[1, 3, 1, 0, 0, 1], 'a run of the wrong length'],
        [[2, 3, 1, 0, 0, 1, 5, 0, 1, 5, 2], 'an empty run'],
        [[1, 3, 1, 0, 1, 0, 1], 'a sum of zero'],
        [[1, 3, 1, 1, 1], 'a level without mass'],
        [[1, 3, 1, 0, 1, 0x85, 0, 1], 'longer than it needs to be'],
        [[1, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f, 0, 1, 5, 1], 'too large'],
        [[1, 3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f, 0, 1, 5, 1], 'too large'],
    ] as const)
        refused(tail(...levels), why, why);
});

test('another version or kind is unknown', () => {
    const whole = bytes(cases[0] as Case);
    for (const first of [0x00, 0x14, 0x20, 0x7b]) {
        whole[0] = first;
        refused(parseBinary(whole), 'unknown version', String(first));
    }
});
