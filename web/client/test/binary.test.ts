import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseBinary } from '../src/wire/binary.ts';

interface Case {
    name: string;
    hex: string;
    message: unknown;
}

/** Written and read by the server's tests, too. */
const golden = new URL('../../../../crates/wire/golden/binary.json', import.meta.url);
const { cases } = JSON.parse(readFileSync(golden, 'utf8')) as { cases: Case[] };

function bytes({ hex }: Case): Uint8Array {
    return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

test('every golden message is the same in both forms', () => {
    assert.ok(cases.length >= 9);
    for (const one of cases) assert.deepEqual(parseBinary(bytes(one)), one.message, one.name);
});

test('a message that is cut, too long or damaged is unknown, never an exception', () => {
    for (const one of cases) {
        const whole = bytes(one);
        for (let length = 0; length < whole.length; length++) {
            assert.equal(parseBinary(whole.subarray(0, length)).type, 'unknown', `${one.name} cut to ${length} bytes`);
        }
        assert.equal(parseBinary(Uint8Array.of(...whole, 0)).type, 'unknown');
        for (let at = 0; at < whole.length; at++) {
            for (const byte of [0x00, 0x7f, 0x80, 0xff]) {
                const damaged = whole.slice();
                damaged[at] = byte;
                parseBinary(damaged);
            }
        }
    }
});

test('another version or kind is unknown', () => {
    const whole = bytes(cases[0] as Case);
    for (const first of [0x00, 0x12, 0x20, 0x7b]) {
        whole[0] = first;
        const frame = parseBinary(whole);
        assert.ok(frame.type === 'unknown' && frame.why.includes('unknown version'), JSON.stringify(frame));
    }
});
