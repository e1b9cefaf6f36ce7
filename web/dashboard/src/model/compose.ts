/** One grid out of tiles that follow each other. */
import type { Grid, GridHeader } from '../wire/grid.ts';
import { STEPS, Steps } from './steps.ts';

/** What stands for each byte of a tile on another scale. */
function translation(from: GridHeader, to: Steps): Uint8Array | null {
    if (from.usd_min === to.usdMin && from.usd_max === to.usdMax) return null;
    if (!(from.usd_min > 0 && from.usd_max >= from.usd_min)) return new Uint8Array(STEPS);
    const own = new Steps(from.usd_min, from.usd_max);
    return Uint8Array.from({ length: STEPS }, (_, q) => (q === 0 ? 0 : to.step(own.usd(q))));
}

/** Nothing where the tiles are of an estimate. */
function coverageOf(tiles: readonly Grid[]): Pick<GridHeader, 'coverage'> {
    if (tiles.some(({ header }) => header.coverage === undefined)) return {};
    const of = (side: 'long' | 'short'): (number | null)[] => tiles.flatMap(({ header }) => header.coverage?.[side] ?? []);
    return { coverage: { long: of('long'), short: of('short') } };
}

/**
 * Joins tiles, oldest first. Amounts move to the scale of the tile with the largest ones; planes by leverage are kept where all
 * tiles have the same.
 *
 * # Throws `RangeError` when they do not follow each other or have other rows.
 */
export function compose(tiles: readonly Grid[]): Grid {
    const [first] = tiles;
    const last = tiles.at(-1);
    if (first === undefined || last === undefined) throw new RangeError('no tiles');
    if (tiles.length === 1) return first;
    const { rows, column_ms, price_low, bin } = first.header;
    let columns = 0;
    for (const { header } of tiles) {
        const start = first.header.start + columns * column_ms;
        const fits = header.rows === rows && header.column_ms === column_ms && header.bin === bin && header.price_low === price_low;
        if (!fits || header.start !== start) throw new RangeError(`the tile of ${header.start} does not follow at ${start}`);
        columns += header.columns;
    }
    const largest = tiles.reduce((all, each) => (each.header.usd_max > all.header.usd_max ? each : all)).header;
    const min = largest.usd_min > 0 ? largest.usd_min : 1;
    const scale = new Steps(min, Math.max(min, largest.usd_max));
    const { leverages } = first.header;
    const isSplit = leverages.length > 0 && tiles.every(({ header }) => header.leverages.join() === leverages.join());
    const planes = Array.from({ length: 2 + (isSplit ? leverages.length : 0) }, () => new Uint8Array(columns * rows));
    let at = 0;
    for (const { header, long, short, classes } of tiles) {
        const table = translation(header, scale);
        [long, short, ...(isSplit ? classes : [])].forEach((plane, place) => {
            const target = planes[place];
            if (table === null) target?.set(plane, at);
            else if (target !== undefined) for (let cell = 0; cell < plane.length; cell++) target[at + cell] = table[plane[cell] ?? 0] ?? 0;
        });
        at += header.columns * rows;
    }
    const [long = new Uint8Array(), short = new Uint8Array(), ...classes] = planes;
    const header: GridHeader = {
        ...last.header,
        start: first.header.start,
        columns,
        usd_min: largest.usd_min,
        usd_max: largest.usd_max,
        leverages: isSplit ? leverages : [],
        ...coverageOf(tiles),
    };
    return { header, long, short, classes };
}
