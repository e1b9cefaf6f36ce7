/**
 * The binary form of states (`docs/binary.md`): columns of varints over a grid of prices.
 *
 * Bytes come from outside, so anything that is not exactly a message is `unknown`. Numbers stay below 2^53: they are put
 * together by multiplication, because shifts stop at 32 bits.
 */
import type { Frame, Level, StateFrame } from './frames.ts';

/** What a client offers when it connects, the one it likes best first. */
export const PROTOCOLS = ['liqheat.v1.bin', 'liqheat.v1.json'] as const;

const SNAPSHOT = 0x10;
const DELTA = 0x11;
/** Set in the first byte of a message that carries the id of its subscription. */
const HAS_ID = 0x02;
const ID_BYTES_MAX = 64;
const UNITS = 1e8;
const HASH_BYTES = 8;
const VARINT_BYTES_MAX = 8;
/** The last millisecond of the year 9999: RFC 3339 writes no later one. */
const TIME_MS_MAX = 253_402_300_799_999;

class Malformed extends Error {}

class Reader {
    readonly #bytes: Uint8Array;
    #at = 0;

    constructor(bytes: Uint8Array) {
        this.#bytes = bytes;
    }

    left(): number {
        return this.#bytes.length - this.#at;
    }

    take(length: number): Uint8Array {
        if (length > this.left()) throw new Malformed('ends too early');
        this.#at += length;
        return this.#bytes.subarray(this.#at - length, this.#at);
    }

    varint(): number {
        let n = 0;
        for (let place = 0, scale = 1; place < VARINT_BYTES_MAX; place++, scale *= 128) {
            const byte = this.take(1)[0] ?? 0;
            n += (byte & 0x7f) * scale;
            if (byte < 0x80) {
                if (byte === 0 && place > 0) throw new Malformed('a number is longer than it needs to be');
                return this.exact(n);
            }
        }
        throw new Malformed('a number is too large');
    }

    exact(n: number): number {
        if (n > Number.MAX_SAFE_INTEGER) throw new Malformed('a number is too large');
        return n;
    }

    id(): string {
        const length = this.varint();
        if (length < 1 || length > ID_BYTES_MAX) throw new Malformed('an id of the wrong length');
        return this.#utf8(length);
    }

    text(): string {
        return this.#utf8(this.varint());
    }

    #utf8(length: number): string {
        return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.take(length));
    }
}

function levels(reader: Reader): Level[] {
    const count = reader.varint();
    if (count === 0) return [];
    // Every level takes a byte at least.
    if (count > reader.left()) throw new Malformed('ends too early');
    const step = reader.varint();
    if (step === 0) throw new Malformed('a step of zero');
    const list: Level[] = [];
    for (let index = reader.varint(); ; index += reader.varint() + 1) {
        list.push({ price: reader.exact(index * step) / UNITS, long_density: 0, short_density: 0 });
        if (list.length === count) break;
    }
    for (const side of ['long_density', 'short_density'] as const) column(reader, list, side);
    return list;
}

function column(reader: Reader, list: Level[], side: 'long_density' | 'short_density'): void {
    let at = 0;
    while (at < list.length) {
        const zeros = reader.varint();
        if (zeros === 0 && at > 0) throw new Malformed('an empty run');
        at += zeros;
        if (at === list.length) return;
        const end = at + reader.varint();
        if (end === at || end > list.length) throw new Malformed('a run of the wrong length');
        for (; at < end; at++) {
            const usd = reader.varint();
            if (usd === 0) throw new Malformed('a sum of zero among those that are not');
            const level = list[at];
            if (level !== undefined) level[side] = usd;
        }
    }
    if (at > list.length) throw new Malformed('a run of the wrong length');
}

/** The same text as in JSON: a fraction as short as it can be. */
function timestamp(ms: number): string {
    if (ms > TIME_MS_MAX) throw new Malformed('a time after the year 9999');
    return new Date(ms).toISOString().replace(/\.?0+Z$/, 'Z');
}

function read(bytes: Uint8Array): Frame {
    const reader = new Reader(bytes);
    const first = reader.take(1)[0] ?? 0;
    const kind = first & ~HAS_ID;
    if (kind !== SNAPSHOT && kind !== DELTA) throw new Malformed('unknown version or kind');
    const id = (first & HAS_ID) === 0 ? undefined : reader.id();
    const hash = Array.from(reader.take(HASH_BYTES), (byte) => byte.toString(16).padStart(2, '0')).join('');
    const seq = reader.varint();
    const from = kind === DELTA ? seq - reader.varint() : 0;
    if (from < 0) throw new Malformed('from before the first state');
    const time = timestamp(reader.varint());
    const symbol = reader.text();
    const epoch = reader.text();
    const data = {
        current_price: reader.varint() / UNITS,
        positions_created: reader.varint(),
        positions_consumed: reader.varint(),
        levels: levels(reader),
    };
    if (reader.left() > 0) throw new Malformed('bytes after the end');
    if (kind === SNAPSHOT && data.levels.some((level) => level.long_density === 0 && level.short_density === 0)) {
        throw new Malformed('a level without mass in a whole state');
    }
    const body = { ...(id === undefined ? {} : { id }), symbol, timestamp: time, epoch, seq, hash, data } satisfies StateFrame;
    return kind === DELTA ? { type: 'delta', ...body, from } : { type: 'snapshot', ...body };
}

/** Reads one binary message; never throws. */
export function parseBinary(bytes: Uint8Array): Frame {
    try {
        return read(bytes);
    } catch (error) {
        return { type: 'unknown', why: `malformed binary frame: ${error instanceof Error ? error.message : 'unreadable'}` };
    }
}
