/**
 * The binary form of a history grid: a JSON header and planes of one byte a cell: longs, shorts, and where they were
 * asked for, one for each leverage class that the header names, both sides together.
 *
 * Decoded cells are column-major with row 0 the lowest price. On the wire "LQG1" has them in the same order; "LQG2" has
 * row after row, each byte the difference to the column before; "LQG3" has the drift of each column, then column after
 * column the differences to what the drift predicts. A byte is a logarithmic step of US dollars: 0 is none, q in 1..255 is
 * `usd_min * (usd_max / usd_min) ^ ((q - 1) / 254)`, one scale for all planes.
 */
import type { GridJson } from './bodies.generated.ts';

export interface GridHeader {
    symbol: string;
    epoch: string;
    /** Time of the newest event in the grid, milliseconds since 1970. */
    as_of: number;
    start: number;
    column_ms: number;
    columns: number;
    rows: number;
    /** Lower edge of row 0. */
    price_low: number;
    bin: number;
    usd_min: number;
    usd_max: number;
    state: string;
    /** How much of today's open interest was seen being opened, 0..1; null when the server does not say. */
    seen_share: number | null;
    /** Leverages of the classes that have planes of their own, ascending. */
    leverages: readonly number[];
    /** How much of each side's open interest every column shows; of measured positions only. */
    coverage?: ColumnCoverage;
}

/** One share a column, 0..1; null where it is unknown or nothing was measured. */
export interface ColumnCoverage {
    readonly long: readonly (number | null)[];
    readonly short: readonly (number | null)[];
}

export interface Grid {
    header: GridHeader;
    long: Uint8Array;
    short: Uint8Array;
    /** One plane for each of the header's leverages. */
    classes: readonly Uint8Array[];
}

/** All layouts are read; a server answers in the newest that it knows, which is the smallest. */
const GRID_TYPE = 'application/vnd.liqheat.grid';
export const GRID_ACCEPT = `${GRID_TYPE}; version=3, ${GRID_TYPE}; version=2, ${GRID_TYPE}`;

const COLUMN_MAJOR = 'LQG1';
const PRICE_MAJOR = 'LQG2';
const PREDICTED = 'LQG3';
/** Levels and drifts of "LQG3" count 1 / 32 of a step. */
const LEVEL_BITS = 5;
const PREFIX_BYTES = 8;
/** More cells than any chart can show; a header claiming more is broken. */
const CELLS_MAX = 16_000_000;
const LEVERAGES_MAX = 16;

export class GridError extends Error {
    override name = 'GridError';
}

/** # Throws `GridError` when the bytes are not a whole grid. */
export function decodeGrid(bytes: Uint8Array): Grid {
    if (bytes.length < PREFIX_BYTES) throw new GridError(`grid of ${bytes.length} bytes is cut off`);
    const magic = String.fromCharCode(...bytes.subarray(0, 4));
    if (magic !== COLUMN_MAJOR && magic !== PRICE_MAJOR && magic !== PREDICTED) {
        throw new GridError(`grid begins with "${magic}", expected "${COLUMN_MAJOR}", "${PRICE_MAJOR}" or "${PREDICTED}"`);
    }
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headerBytes = view.getUint32(4, true);
    const planesAt = PREFIX_BYTES + headerBytes;
    if (planesAt > bytes.length) throw new GridError('grid header is cut off');
    const header = parseHeader(new TextDecoder().decode(bytes.subarray(PREFIX_BYTES, planesAt)));
    const { columns, rows } = header;
    const planeBytes = columns * (magic === PREDICTED ? rows + 1 : rows);
    const planes = 2 + header.leverages.length;
    if (bytes.length !== planesAt + planes * planeBytes) {
        throw new GridError(`grid of ${columns} x ${rows} has ${bytes.length - planesAt} plane bytes, expected ${planes * planeBytes}`);
    }
    const plane = (place: number): Uint8Array => {
        const written = bytes.subarray(planesAt + place * planeBytes, planesAt + (place + 1) * planeBytes);
        if (magic === PREDICTED) return predicted(written, columns, rows);
        return magic === PRICE_MAJOR ? summed(written, columns, rows) : written.slice();
    };
    return { header, long: plane(0), short: plane(1), classes: header.leverages.map((_, place) => plane(2 + place)) };
}

/** A column-major plane out of the differences along its rows. */
function summed(differences: Uint8Array, columns: number, rows: number): Uint8Array {
    const plane = new Uint8Array(columns * rows);
    let from = 0;
    for (let row = 0; row < rows; row++) {
        let cell = 0;
        for (let at = row; at < plane.length; at += rows) {
            cell += differences[from] ?? 0;
            // A Uint8Array keeps the sum modulo 256.
            plane[at] = cell;
            from += 1;
        }
    }
    return plane;
}

/**
 * A column-major plane out of the drift of each column and the differences to what it predicts. Every sequence of bytes has a
 * meaning: levels stay within the scale.
 */
function predicted(written: Uint8Array, columns: number, rows: number): Uint8Array {
    const plane = new Uint8Array(columns * rows);
    const levels = new Int16Array(rows);
    const [least, most, half] = [1 << LEVEL_BITS, 255 << LEVEL_BITS, 1 << (LEVEL_BITS - 1)];
    let at = 0;
    for (let column = 0; column < columns; column++) {
        // Signed.
        const drift = ((written[column] ?? 0) << 24) >> 24;
        for (let row = 0; row < rows; row++, at++) {
            let level = levels[row] ?? 0;
            const difference = written[columns + at] ?? 0;
            if (level === 0 && difference === 0) continue;
            if (level !== 0) level = Math.min(most, Math.max(least, level + drift));
            const cell = (((level + half) >> LEVEL_BITS) + difference) & 255;
            levels[row] = difference === 0 ? level : cell << LEVEL_BITS;
            plane[at] = cell;
        }
    }
    return plane;
}

/** The header has the fields that the same grid has as JSON; what is in them is unknown. */
function parseHeader(text: string): GridHeader {
    let fields: { readonly [Field in keyof GridJson]?: unknown };
    try {
        fields = JSON.parse(text) as typeof fields;
    } catch {
        throw new GridError('grid header is not JSON');
    }
    const number = (name: keyof GridJson, atLeast: number): number => {
        const value = fields[name];
        if (typeof value !== 'number' || !Number.isFinite(value) || value < atLeast) {
            throw new GridError(`grid header has ${name} = ${JSON.stringify(value)}`);
        }
        return value;
    };
    const positive = Number.MIN_VALUE;
    const header: GridHeader = {
        symbol: String(fields.symbol ?? ''),
        epoch: String(fields.epoch ?? ''),
        as_of: number('as_of', 0),
        start: number('start', 0),
        column_ms: number('column_ms', 1),
        columns: number('columns', 0),
        rows: number('rows', 0),
        price_low: number('price_low', 0),
        bin: number('bin', positive),
        usd_min: number('usd_min', 0),
        usd_max: number('usd_max', 0),
        state: String(fields.state ?? ''),
        seen_share: typeof fields.seen_share === 'number' ? fields.seen_share : null,
        leverages: leveragesOf(fields.leverages),
    };
    if (fields.coverage_long !== undefined) {
        // Of a model's picture it says how much was seen; here there is no model.
        header.seen_share = null;
        header.coverage = { long: sharesOf(fields.coverage_long), short: sharesOf(fields.coverage_short) };
    }
    if (header.columns * header.rows > CELLS_MAX) {
        throw new GridError(`grid of ${header.columns} x ${header.rows} cells is too large`);
    }
    return header;
}

function leveragesOf(value: unknown): number[] {
    if (value === undefined) return [];
    const list = Array.isArray(value) ? (value as unknown[]).filter((each) => typeof each === 'number' && each > 0) : [];
    if (!Array.isArray(value) || list.length !== value.length || list.length > LEVERAGES_MAX) {
        throw new GridError(`grid header has leverages = ${JSON.stringify(value)}`);
    }
    return list as number[];
}

function sharesOf(value: unknown): (number | null)[] {
    return Array.isArray(value) ? (value as unknown[]).map((share) => (typeof share === 'number' && share >= 0 ? share : null)) : [];
}

/** Encodes a grid; the test server and the tests are its users. */
export function encodeGrid(header: object, long: Uint8Array, short: Uint8Array, classes: readonly Uint8Array[] = []): Uint8Array {
    const headerBytes = new TextEncoder().encode(JSON.stringify(header));
    const size = classes.reduce((sum, plane) => sum + plane.length, long.length + short.length);
    const bytes = new Uint8Array(PREFIX_BYTES + headerBytes.length + size);
    bytes.set(new TextEncoder().encode(COLUMN_MAJOR));
    new DataView(bytes.buffer).setUint32(4, headerBytes.length, true);
    bytes.set(headerBytes, PREFIX_BYTES);
    let at = PREFIX_BYTES + headerBytes.length;
    for (const plane of [long, short, ...classes]) {
        bytes.set(plane, at);
        at += plane.length;
    }
    return bytes;
}
