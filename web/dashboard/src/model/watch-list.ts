/** The watch list: which symbols, what stands in a row, and in which order. */
import type { ServedWall, ServedWalls } from '../wire/walls.ts';

export const WATCH_ORDERS = ['near', 'change', 'name'] as const;
export type WatchOrder = (typeof WATCH_ORDERS)[number];

/** Smaller walls, as a share of the dollars of their side, are not worth a look at another chart. */
const SHARE_MIN = 0.02;
/** Symbols that can be watched at once. */
export const WATCHED_MAX = 50;
/** Number of symbols of a server's list that are watched until somebody chooses. */
const WATCHED_FIRST = 8;

export interface WatchRow {
    symbol: string;
    /** Null before the first answer. */
    price: number | null;
    /** Of 24 hours, as a share; null while the price then is not known. */
    change: number | null;
    /** The nearest wall below and above the price. */
    long: ServedWall | null;
    short: ServedWall | null;
    state: string;
}

export function watchRow(symbol: string, walls: ServedWalls | undefined, dayBefore: number | undefined): WatchRow {
    if (walls === undefined) return { symbol, price: null, change: null, long: null, short: null, state: '' };
    const nearest = (side: ServedWall['side']): ServedWall | null =>
        walls.walls
            .filter((wall) => wall.side === side && wall.share >= SHARE_MIN)
            .reduce<ServedWall | null>(
                (best, wall) => (best === null || Math.abs(wall.distance) < Math.abs(best.distance) ? wall : best),
                null,
            );
    return {
        symbol,
        price: walls.price,
        change: dayBefore === undefined ? null : walls.price / dayBefore - 1,
        long: nearest('long'),
        short: nearest('short'),
        state: walls.state,
    };
}

/** How far the nearest wall is, as a share of the price; infinite without one. */
export function nearness({ long, short }: Pick<WatchRow, 'long' | 'short'>): number {
    return Math.min(Math.abs(long?.distance ?? Infinity), Math.abs(short?.distance ?? Infinity));
}

export function sortedRows(rows: readonly WatchRow[], by: WatchOrder): WatchRow[] {
    const move = ({ change }: WatchRow): number => (change === null ? -1 : Math.abs(change));
    const compare: Record<WatchOrder, (a: WatchRow, b: WatchRow) => number> = {
        near: (a, b) => nearness(a) - nearness(b),
        change: (a, b) => move(b) - move(a),
        name: () => 0,
    };
    // Infinite minus infinite is no order.
    return [...rows].sort((a, b) => compare[by](a, b) || a.symbol.localeCompare(b.symbol));
}

/** The watched symbols: the stored ones that are served, or the first of the server's list. */
export function watchedOf(stored: string | null, served: readonly string[]): string[] {
    try {
        const list: unknown = JSON.parse(stored ?? 'null');
        if (Array.isArray(list)) {
            const names = (list as unknown[]).filter((each): each is string => typeof each === 'string');
            return [...new Set(names)].filter((name) => served.includes(name)).slice(0, WATCHED_MAX);
        }
    } catch {
        // Not what this page has written.
    }
    return served.slice(0, WATCHED_FIRST);
}
