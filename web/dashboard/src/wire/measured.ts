/** `GET /v1/measured`, where positions of real accounts would be liquidated, and of `GET /v1/map` what is drawn beside it. */
import type { MapBody, MapRow, MeasuredBody, MeasuredLevel, MeasuredPosition, MeasuredSideBody } from './bodies.generated.ts';
import { fieldsOf, listOf, numberOf, optionalNumber, timeOf } from './fields.ts';

/** Dollars that would be liquidated within one bin. */
export interface SidedLevel {
    /** Lower edge of the bin. */
    price: number;
    longUsd: number;
    shortUsd: number;
}

/** All measured positions of one side; shares are of its size, 0 to 1. */
export interface MeasuredSide {
    usd: number;
    accounts: number;
    /** Its size over the side's open interest; null while that is unknown. */
    coverage: number | null;
    withoutLevel: number;
    olderThan5m: number;
    olderThan60m: number;
}

export interface ClosestPosition {
    side: 'long' | 'short';
    price: number;
    /** From the mark price, as a share of it; signed. */
    distance: number;
    usd: number;
    /** Time since the look at the account. */
    ageMs: number;
    /** Null where the server does not name accounts. */
    address: string | null;
}

export interface MeasuredLayer {
    /** Time of the marks it was computed with. */
    asOf: number;
    price: number;
    bin: number;
    /** Known at the venue. */
    addresses: number;
    /** Accounts whose look is overdue. */
    late: number;
    long: MeasuredSide;
    short: MeasuredSide;
    levels: SidedLevel[];
    /** Nearest first. */
    closest: ClosestPosition[];
}

/** The estimate of all positions of a venue. */
export interface EstimatedMap {
    bin: number;
    levels: SidedLevel[];
}

function sideOf(value: unknown, coverage: unknown, what: string): MeasuredSide {
    const fields = fieldsOf<MeasuredSideBody>(value, what);
    return {
        usd: numberOf(fields.usd, `usd of ${what}`),
        accounts: numberOf(fields.accounts, `accounts of ${what}`),
        coverage: optionalNumber(coverage),
        withoutLevel: numberOf(fields.share_without_level, 'share_without_level'),
        olderThan5m: numberOf(fields.share_older_than_5m, 'share_older_than_5m'),
        olderThan60m: numberOf(fields.share_older_than_60m, 'share_older_than_60m'),
    };
}

function levelsOf(value: unknown): SidedLevel[] {
    return listOf<MeasuredLevel | MapRow>(value, 'levels').map((each) => ({
        price: numberOf(each.price, 'price'),
        longUsd: numberOf(each.long_usd, 'long_usd'),
        shortUsd: numberOf(each.short_usd, 'short_usd'),
    }));
}

export function parseMeasured(body: unknown): MeasuredLayer {
    const fields = fieldsOf<MeasuredBody>(body, 'measured positions');
    return {
        asOf: timeOf(fields.as_of, 'as_of'),
        price: numberOf(fields.current_price, 'current_price'),
        bin: numberOf(fields.bin, 'bin'),
        addresses: optionalNumber(fields.addresses) ?? 0,
        late: optionalNumber(fields.accounts_late) ?? 0,
        long: sideOf(fields.long, fields.coverage_long, 'long'),
        short: sideOf(fields.short, fields.coverage_short, 'short'),
        levels: levelsOf(fields.levels),
        closest: listOf<MeasuredPosition>(fields.closest, 'closest').map((each) => ({
            side: each.side === 'short' ? 'short' : 'long',
            price: numberOf(each.liquidation_price, 'liquidation_price'),
            distance: numberOf(each.distance_pct, 'distance_pct') / 100,
            usd: numberOf(each.usd, 'usd'),
            ageMs: numberOf(each.age_s, 'age_s') * 1_000,
            address: typeof each.address === 'string' ? each.address : null,
        })),
    };
}

export function parseMap(body: unknown): EstimatedMap {
    const fields = fieldsOf<MapBody>(body, 'map');
    return { bin: numberOf(fields.bin, 'bin'), levels: levelsOf(fields.levels) };
}
