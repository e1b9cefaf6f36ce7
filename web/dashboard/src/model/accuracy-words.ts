/** The running score in words: how it compares with simpler predictors, and how much of it is known. */
import type { PredictorScore, ScoredPeriod } from '../wire/accuracy.ts';

const MAP = 'map';

/** What a person should call a predictor; the server's own title otherwise. */
const NAMES: Record<string, string> = {
    map: 'This map',
    distance: 'Distance from the price alone',
    path: "The price's path alone",
    yesterdays_map: "Yesterday's map",
    candle_colour: 'Colour of the candle',
};

export function nameOf({ id, title }: Pick<PredictorScore, 'id' | 'title'>): string {
    return NAMES[id] ?? title;
}

export interface Verdict {
    tone: 'good' | 'plain' | 'bad';
    text: string;
}

/** How the map's order within the hours compares with the best of the others; null without figures. */
export function verdictOf(scores: readonly PredictorScore[]): Verdict | null {
    const map = scores.find(({ id }) => id === MAP);
    if (map?.order == null) return null;
    const interval = map.orderInterval;
    if (interval !== null && interval[0] <= 0) {
        return interval[1] < 0
            ? { tone: 'bad', text: 'Worse than chance within the hours.' }
            : { tone: 'plain', text: 'Not told apart from chance yet: the interval contains 0.' };
    }
    const others = scores.filter((score) => score.id !== MAP && score.order !== null);
    const best = others.sort((a, b) => (b.order ?? 0) - (a.order ?? 0))[0];
    if (best === undefined) return { tone: 'good', text: 'Better than chance; nothing simpler could be scored.' };
    const name = nameOf(best).toLowerCase();
    if (map.order <= (best.order ?? 0)) return { tone: 'bad', text: `Not better than ${name}.` };
    const isApart = interval !== null && best.orderInterval !== null && interval[0] > best.orderInterval[1];
    return isApart
        ? { tone: 'good', text: `Better than everything simpler; the best of them is ${name}.` }
        : { tone: 'plain', text: `Ahead of ${name}, but the intervals overlap.` };
}

function share(part: number, whole: number): string {
    return whole === 0 ? '0 %' : `${Math.round((part / whole) * 100)} %`;
}

function plural(count: number, noun: string): string {
    return `${count.toLocaleString('en-US')} ${noun}${count === 1 ? '' : 's'}`;
}

/** What the score of a period rests on. */
export function basisWords({ hours, hoursWithEvents, hoursLost, events, steps, stepsHit }: ScoredPeriod): string {
    const lost = hoursLost === 0 ? '' : `; ${plural(hoursLost, 'hour')} could not be graded`;
    return (
        `${plural(events, 'liquidation')} in ${hoursWithEvents} of ${plural(hours, 'graded hour')}${lost}. ` +
        `The price crossed ${plural(steps, 'step')} of 0.1 %; in ${share(stepsHit, steps)} of them something was liquidated.`
    );
}

/** Why there are no figures. */
export function tooFewWords({ events, eventsNeeded }: Pick<ScoredPeriod, 'events' | 'eventsNeeded'>): string {
    return `Not enough events yet: ${events} of ${eventsNeeded}.`;
}

export function orderWords({ order, orderInterval }: Pick<PredictorScore, 'order' | 'orderInterval'>): string {
    if (order === null) return '–';
    const signed = (value: number): string => `${value < 0 ? '−' : ''}${Math.abs(value).toFixed(2)}`;
    return orderInterval === null ? signed(order) : `${signed(order)} (${signed(orderInterval[0])} to ${signed(orderInterval[1])})`;
}

/** In how many pairs of a hundred the step with a liquidation was the higher one. */
export function ofTwoWords(ofTwo: number | null): string {
    return ofTwo === null ? '–' : `${Math.round(ofTwo * 100)} of 100`;
}

export function topTenthWords(topTenth: number | null): string {
    return topTenth === null ? '–' : `${topTenth.toFixed(1)} ×`;
}
