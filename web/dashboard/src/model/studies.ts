/** What the panes under the chart show: one point a candle, made of the rows and the liquidations that are known. */
import type { Liquidated, SeriesRow } from '../wire/answers.ts';

export const STUDIES = ['volume', 'open_interest', 'funding', 'liquidations'] as const;
export type Study = (typeof STUDIES)[number];

/** One interval; null for what is not known of it. */
export interface StudyPoint {
    time: number;
    volume: number | null;
    /** Volume that takers bought less what they sold, summed from the first point on. */
    cvd: number | null;
    openInterest: number | null;
    /** Per cent. */
    funding: number | null;
    /** Dollars of longs and of shorts that were liquidated. */
    longUsd: number;
    shortUsd: number;
}

/** A point for each of these times, which are the beginnings of intervals, ascending. */
export function studyPoints(
    times: readonly number[],
    intervalMs: number,
    rows: readonly SeriesRow[],
    liquidations: readonly Liquidated[],
): StudyPoint[] {
    const byTime = new Map(rows.map((row) => [row.time, row]));
    const liquidated = new Map<number, { long: number; short: number }>();
    for (const { time, side, usd } of liquidations) {
        const slot = Math.floor(time / intervalMs) * intervalMs;
        const sum = liquidated.get(slot) ?? { long: 0, short: 0 };
        sum[side] += usd;
        liquidated.set(slot, sum);
    }
    let cvd = 0;
    return times.map((time) => {
        const row = byTime.get(time);
        const volume = row?.volume ?? null;
        const bought = row?.takerBuy ?? null;
        const known = volume !== null && bought !== null;
        if (known) cvd += 2 * bought - volume;
        const { long = 0, short = 0 } = liquidated.get(time) ?? {};
        return {
            time,
            volume,
            cvd: known ? cvd : null,
            openInterest: row?.openInterest ?? null,
            funding: row?.funding == null ? null : row.funding * 100,
            longUsd: long,
            shortUsd: short,
        };
    });
}

/** Whether any point has something of a study. */
export function hasStudy(points: readonly StudyPoint[], study: Study): boolean {
    switch (study) {
        case 'volume':
            return points.some(({ volume }) => volume !== null);
        case 'open_interest':
            return points.some(({ openInterest }) => openInterest !== null);
        case 'funding':
            return points.some(({ funding }) => funding !== null);
        case 'liquidations':
            return points.some(({ longUsd, shortUsd }) => longUsd + shortUsd > 0);
    }
}

/** The same points, empty where their interval had not ended by a moment. */
export function knownBy(points: readonly StudyPoint[], intervalMs: number, moment: number): StudyPoint[] {
    return points.map((point) =>
        point.time + intervalMs <= moment
            ? point
            : { time: point.time, volume: null, cvd: null, openInterest: null, funding: null, longUsd: 0, shortUsd: 0 },
    );
}
