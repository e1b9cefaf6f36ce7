/** Walls as the server finds them: the body of `GET /v1/walls`, which the channel `walls` also sends. */
import type { WallRow, WallsBody } from './bodies.generated.ts';
import { fieldsOf, listOf, numberOf, timeOf } from './fields.ts';

export interface ServedWall {
    side: 'long' | 'short';
    low: number;
    high: number;
    usd: number;
    /** Of all dollars of its side, 0 to 1. */
    share: number;
    /** From the price to the nearer edge, as a share of the price; negative below it. */
    distance: number;
}

export interface ServedWalls {
    symbol: string;
    /** Time of the newest market event, milliseconds since 1970. */
    asOf: number;
    price: number;
    state: string;
    walls: ServedWall[];
}

export function parseWalls(body: unknown): ServedWalls {
    const fields = fieldsOf<WallsBody>(body, 'walls');
    return {
        symbol: String(fields.symbol),
        asOf: timeOf(fields.as_of, 'as_of'),
        price: numberOf(fields.current_price, 'current_price'),
        state: String(fields.state ?? ''),
        walls: listOf<WallRow>(fields.walls, 'walls').map((each) => ({
            side: each.side === 'short' ? 'short' : 'long',
            low: numberOf(each.low, 'low'),
            high: numberOf(each.high, 'high'),
            usd: numberOf(each.usd, 'usd'),
            share: numberOf(each.share, 'share'),
            distance: numberOf(each.distance_pct, 'distance_pct') / 100,
        })),
    };
}
