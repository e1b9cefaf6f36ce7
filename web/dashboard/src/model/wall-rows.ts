/** Walls as rows of a table: with how long they have been there, and as text for a spreadsheet. */
import type { Heat } from './heat.ts';
import { type Wall, type WallLevel, wallsOf } from './walls.ts';

export interface WallRow extends Wall {
    /** How long the heaviest bin has had levels in the picture, milliseconds; null where the picture does not reach. */
    ageMs: number | null;
    /** The band is older than the picture. */
    older: boolean;
}

/** Price and levels that walls are looked for in. */
export interface WallState {
    price: number | null;
    levels: readonly WallLevel[];
    bin: number;
    asOf: number | null;
}

export function wallRows(state: WallState, heat: Heat | null, reach: number): WallRow[] {
    const { price, levels, bin, asOf } = state;
    if (price === null) return [];
    return wallsOf(levels, price, { reach, bin }).map((wall) => {
        const reading =
            heat === null ? null : heat.read(Math.min(asOf ?? 0, heat.start() + heat.columns() * heat.columnMs() - 1), wall.peak);
        const ageMs = reading === null || heat === null ? null : heat.ageOf(reading.cell, wall.side);
        return { ...wall, ageMs, older: ageMs !== null && reading !== null && reading.time - ageMs <= (heat?.start() ?? 0) };
    });
}

/** Tab-separated, as a spreadsheet takes it from the clipboard. */
export function wallsText(rows: readonly WallRow[], separator = '\t'): string {
    const head = ['side', 'low', 'high', 'usd', 'share', 'distance', 'age_seconds'];
    const lines = rows.map(({ side, low, high, usd, share, distance, ageMs }) =>
        [
            side,
            Number(low.toPrecision(12)),
            Number(high.toPrecision(12)),
            Math.round(usd),
            share.toFixed(4),
            distance.toFixed(5),
            ageMs === null ? '' : ageMs / 1000,
        ].join(separator),
    );
    return `${[head.join(separator), ...lines].join('\n')}\n`;
}
