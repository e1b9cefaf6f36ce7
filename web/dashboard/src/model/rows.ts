/** Rows of a picture: evenly spaced in price, row 0 the lowest. The one place that turns a price into a row. */

export interface Rows {
    rows: number;
    /** Lower edge of row 0. */
    price_low: number;
    /** Height of a row. */
    bin: number;
}

/** A cell of a picture, by index: a price computed from it and divided again may name another row. */
export interface Cell {
    readonly column: number;
    readonly row: number;
}

/** Share of a row by which a price may lie below a lower edge and still belong to it: bins such as 0.002 are not exact in binary. */
const SLACK_ROWS = 1e-6;

/** Row of a price; below 0 or beyond the last row where the picture does not reach. */
export function rowOf({ price_low, bin }: Pick<Rows, 'price_low' | 'bin'>, price: number): number {
    return Math.floor((price - price_low) / bin + SLACK_ROWS);
}

/** Lower edge of a row. */
export function edgeOf({ price_low, bin }: Pick<Rows, 'price_low' | 'bin'>, row: number): number {
    return price_low + row * bin;
}
