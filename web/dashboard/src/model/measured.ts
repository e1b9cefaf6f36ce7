/** Measured positions beside the estimate of the same venue: both in the same bins, and what the measured ones are a part of. */

import type { EstimatedMap, MeasuredLayer, MeasuredSide, SidedLevel } from '../wire/measured.ts';
import { sharePercent } from './coverage.ts';
import { compactUsd, formatPrice, signedPercent } from './format.ts';
import { rowOf } from './rows.ts';

export interface SidedUsd {
    long: number;
    short: number;
}

export interface BarRow {
    /** Lower edge. */
    price: number;
    measured: SidedUsd;
    estimated: SidedUsd;
}

export interface MeasuredBars {
    price: number;
    bin: number;
    /** Ascending in price and without gaps. */
    rows: BarRow[];
    /** Dollars of the longest bar; the two sides of the picture have one scale. */
    largest: number;
    /** Of all rows. */
    measured: SidedUsd;
    estimated: SidedUsd;
    hasEstimate: boolean;
}

/** Levels within `reach` (a share of the price) in at most about `rowsMax` rows. */
export function barsOf(layer: MeasuredLayer, estimate: EstimatedMap | null, reach: number, rowsMax: number): MeasuredBars {
    const { price } = layer;
    const base = Math.max(layer.bin, estimate?.bin ?? 0);
    const bin = base * Math.max(1, Math.ceil((2 * reach * price) / base / rowsMax));
    const row = (at: number): number => rowOf({ price_low: 0, bin }, at);
    const first = row(price * (1 - reach));
    const rows: BarRow[] = Array.from({ length: row(price * (1 + reach)) - first + 1 }, (_, at) => ({
        price: (first + at) * bin,
        measured: { long: 0, short: 0 },
        estimated: { long: 0, short: 0 },
    }));
    const sum = (levels: readonly SidedLevel[], part: 'measured' | 'estimated'): SidedUsd => {
        const all = { long: 0, short: 0 };
        for (const { price: at, longUsd, shortUsd } of levels) {
            const into = rows[row(at) - first]?.[part];
            if (into === undefined) continue;
            for (const sums of [into, all]) {
                sums.long += longUsd;
                sums.short += shortUsd;
            }
        }
        return all;
    };
    const measured = sum(layer.levels, 'measured');
    const estimated = sum(estimate?.levels ?? [], 'estimated');
    const largest = rows.reduce(
        (most, each) => Math.max(most, each.measured.long + each.measured.short, each.estimated.long + each.estimated.short),
        0,
    );
    return { price, bin, rows, largest, measured, estimated, hasEstimate: estimate !== null };
}

export function sidesWords({ long, short }: SidedUsd): string {
    return `$${compactUsd(long)} of longs, $${compactUsd(short)} of shorts`;
}

/** What a row of the picture holds. */
export function rowWords({ price, measured, estimated }: BarRow, bars: MeasuredBars, decimals: number): string {
    const range = `${formatPrice(price, decimals)} – ${formatPrice(price + bars.bin, decimals)}`;
    const distance = signedPercent((price + bars.bin / 2) / bars.price - 1);
    const beside = bars.hasEstimate ? `\nEstimate: ${sidesWords(estimated)}` : '';
    return `${range} (${distance})\nMeasured: ${sidesWords(measured)}${beside}`;
}

/** "51 %"; small shares with a decimal, so that what is there is not written as nothing. */
export function shareWords(share: number | null): string {
    if (share === null) return 'unknown';
    return sharePercent(share);
}

/** How the two parts of the picture relate. */
export function relationWords({ long, short }: Pick<MeasuredLayer, 'long' | 'short'>): string {
    const part =
        long.coverage === null && short.coverage === null
            ? 'measured positions are a part of it that is unknown, because the open interest is not known yet'
            : `measured positions are ${partWords(long, 'longs')} and ${partWords(short, 'shorts')}`;
    return `The two are never added: the estimate is of all open interest, ${part}.`;
}

function partWords({ coverage }: MeasuredSide, side: string): string {
    return coverage === null ? `an unknown part of the ${side}` : `${shareWords(coverage)} of the ${side}`;
}

/** Null as long as no more is measured than is open. */
export function excessWords({ long, short }: Pick<MeasuredLayer, 'long' | 'short'>): string | null {
    const isMore = Math.max(long.coverage ?? 0, short.coverage ?? 0) > 1;
    return isMore ? 'More is measured than the open interest of the side: the open interest of the venue is doubtful.' : null;
}

/** Rows of the table of both sides: a name, what it means, and the two figures. */
export function sideRows({
    long,
    short,
}: Pick<MeasuredLayer, 'long' | 'short'>): [name: string, means: string, long: string, short: string][] {
    const of = (name: string, means: string, words: (side: MeasuredSide) => string): [string, string, string, string] => [
        name,
        means,
        words(long),
        words(short),
    ];
    return [
        of('Coverage', "Of the side's open interest at the venue", ({ coverage }) => shareWords(coverage)),
        of('Positions', 'At the mark price', ({ usd }) => `$${compactUsd(usd)}`),
        of('Accounts', 'With a position', ({ accounts }) => accounts.toLocaleString('en-US')),
        of('Without a level', 'Size that no price liquidates, because the account has enough collateral', (side) =>
            shareWords(side.withoutLevel),
        ),
        of('Older than 5 min', 'Size that was looked at longer ago', (side) => shareWords(side.olderThan5m)),
        of('Older than 60 min', 'Size that was looked at longer ago', (side) => shareWords(side.olderThan60m)),
    ];
}

/** An address short enough for a line; its ends tell it from others. */
export function shortAddress(address: string): string {
    return address.length <= 13 ? address : `${address.slice(0, 6)}…${address.slice(-4)}`;
}
