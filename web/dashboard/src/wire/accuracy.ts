/** `GET /v1/accuracy`: how well the map of each hour said where positions were liquidated in it. */
import type { AccuracyBody, AccuracyPeriod, PredictorAccuracy, VenueAccuracy } from './bodies.generated.ts';
import { fieldsOf, listOf, optionalNumber } from './fields.ts';

/** Of the map, or of something simpler that it is compared with. Null where it cannot be computed. */
export interface PredictorScore {
    id: string;
    title: string;
    /** Rank correlation with what was liquidated, inside each hour and beyond distance; -1 to 1, 0 is chance. */
    order: number | null;
    /** Its 95 % interval. */
    orderInterval: readonly [low: number, high: number] | null;
    /** USD liquidated in the tenth of the price steps with the highest predictions, over the mean step. */
    topTenth: number | null;
    /** Chance that of two steps the one with a liquidation has the higher prediction. */
    ofTwo: number | null;
}

export interface ScoredPeriod {
    days: number;
    hours: number;
    hoursWithEvents: number;
    hoursLost: number;
    events: number;
    eventsNeeded: number;
    /** Price steps of a tenth of a per cent that the price crossed, and those of them with a liquidation. */
    steps: number;
    stepsHit: number;
    intervalOver: 'days' | 'hours';
    /** The map first; empty with too few events. */
    scores: PredictorScore[];
}

export interface VenueScore {
    venue: string;
    /** What its feed of liquidations tells. */
    feed: string;
    isThrottled: boolean;
    periods: ScoredPeriod[];
}

export interface Accuracy {
    isGraded: boolean;
    venues: VenueScore[];
}

function scoreOf(each: { readonly [Field in keyof PredictorAccuracy]?: unknown }): PredictorScore {
    const [low, high] = Array.isArray(each.in_hour_partial_interval)
        ? (each.in_hour_partial_interval as unknown[]).map(optionalNumber)
        : [];
    return {
        id: String(each.predictor),
        title: String(each.title),
        order: optionalNumber(each.in_hour_partial),
        orderInterval: low == null || high == null ? null : [low, high],
        topTenth: optionalNumber(each.top_tenth_lift),
        ofTwo: optionalNumber(each.area_under_curve),
    };
}

export function parseAccuracy(body: unknown): Accuracy {
    const fields = fieldsOf<AccuracyBody>(body, 'accuracy');
    const count = (value: unknown): number => optionalNumber(value) ?? 0;
    return {
        isGraded: fields.is_graded === true,
        venues: listOf<VenueAccuracy>(fields.venues, 'venues').map((venue) => ({
            venue: String(venue.venue),
            feed: String(venue.feed ?? ''),
            isThrottled: venue.is_throttled === true,
            periods: listOf<AccuracyPeriod>(venue.periods, 'periods').map((period) => ({
                days: count(period.days),
                hours: count(period.hours),
                hoursWithEvents: count(period.hours_with_events),
                hoursLost: count(period.hours_lost),
                events: count(period.events),
                eventsNeeded: count(period.events_needed),
                steps: count(period.cells),
                stepsHit: count(period.cells_hit),
                intervalOver: period.interval_over === 'hours' ? 'hours' : 'days',
                scores: listOf<PredictorAccuracy>(period.predictors, 'predictors').map(scoreOf),
            })),
        })),
    };
}
