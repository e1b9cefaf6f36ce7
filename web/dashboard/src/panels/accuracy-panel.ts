/** How well the map has been saying where positions are liquidated, beside simpler predictors. */
import { Fetched } from '../data/fetched.ts';
import { basisWords, nameOf, ofTwoWords, orderWords, tooFewWords, topTenthWords, verdictOf } from '../model/accuracy-words.ts';
import type { Api } from '../transport/api.ts';
import { element } from '../ui/dom.ts';
import { Redrawn } from '../ui/redrawn.ts';
import type { Accuracy, PredictorScore, ScoredPeriod, VenueScore } from '../wire/accuracy.ts';
import type { PanelPart, PanelState } from './side-panel.ts';

/** Hours are graded one at a time. */
const REFRESH_MS = 60_000;
const DAYS = [1, 7, 30] as const;
const COLUMNS = [
    [
        'Order',
        'Within an hour, from the smallest to the largest prediction: how well that is the order of dollars liquidated, beyond distance. 1 is exact, 0 is chance. In brackets the 95 % interval.',
    ],
    ['Top tenth', 'Dollars liquidated in the tenth of price steps with the largest predictions, over the average step.'],
    ['Of two', 'Of a step with a liquidation and one without, how often the first had the larger prediction. 50 of 100 is chance.'],
] as const;

export class AccuracyPanel implements PanelPart {
    readonly #title = element('h2');
    readonly #body = new Redrawn('scroll');
    readonly #days: HTMLSelectElement;
    readonly #fetched: Fetched<Accuracy>;
    #last: PanelState | null = null;

    constructor(host: HTMLElement, api: Api) {
        this.#fetched = new Fetched(
            (symbol, signal) => api.accuracy({ symbol }, signal),
            () => this.#again(),
        );
        this.#days = element(
            'select',
            {},
            ...DAYS.map((days) => element('option', { value: String(days), textContent: days === 1 ? 'last day' : `last ${days} days` })),
        );
        this.#days.setAttribute('aria-label', 'Period');
        this.#days.value = '7';
        this.#days.addEventListener('change', () => this.#again());
        this.#body.element.tabIndex = 0;
        host.replaceChildren(element('div', { className: 'panel-head' }, this.#title, this.#days), this.#body.element);
    }

    show(state: PanelState): void {
        this.#last = state;
        this.#title.textContent = `Accuracy ${state.market}`;
        this.#fetched.want(state.market, REFRESH_MS);
        const accuracy = this.#fetched.value();
        const failure = this.#fetched.failure();
        this.#body.show(JSON.stringify([accuracy, failure, this.#days.value]), () => this.#rows(accuracy, failure));
    }

    #again(): void {
        if (this.#last?.panel === 'accuracy') this.show(this.#last);
    }

    #rows(accuracy: Accuracy | null, failure: string): Node[] {
        const hint = (textContent: string): HTMLElement => element('p', { className: 'hint', textContent });
        if (accuracy === null) return [hint(failure === '' ? 'Loading' : failure)];
        const note = 'Each hour the map is kept as it is when the hour begins, and compared with what was liquidated in it.';
        if (!accuracy.isGraded) {
            const why = 'This server does not grade its map, because it serves stored data. "liqheat backtest" grades stored data.';
            return [hint(note), hint(why)];
        }
        return [hint(note), ...accuracy.venues.flatMap((venue) => this.#venue(venue))];
    }

    #venue({ venue, feed, isThrottled, periods }: VenueScore): Node[] {
        const period = periods.find(({ days }) => String(days) === this.#days.value);
        const warning = isThrottled
            ? [
                  element('p', {
                      className: 'hint warn',
                      textContent: `${venue} reports only a part (${feed}): dollars are too low, and some hits are missing.`,
                  }),
              ]
            : [element('p', { className: 'hint', textContent: `Reported: ${feed}.` })];
        return [element('h3', { textContent: venue }), ...warning, ...(period === undefined ? [] : this.#period(period))];
    }

    #period(period: ScoredPeriod): Node[] {
        const basis = element('p', { className: 'hint', textContent: basisWords(period) });
        if (period.scores.length === 0) {
            const done = element('progress', { max: period.eventsNeeded, value: period.events });
            done.setAttribute('aria-label', 'Liquidations so far, of those that are needed');
            return [element('p', { textContent: tooFewWords(period) }), done, basis];
        }
        const verdict = verdictOf(period.scores);
        const said = verdict === null ? [] : [element('p', { className: `verdict ${verdict.tone}`, textContent: verdict.text })];
        const head = element(
            'tr',
            {},
            element('th', { scope: 'col', textContent: 'Predictor' }),
            ...COLUMNS.map(([textContent, title]) => element('th', { scope: 'col', textContent, title })),
        );
        const narrow =
            period.intervalOver === 'hours'
                ? [element('p', { className: 'hint', textContent: 'Intervals over hours of few days are too narrow.' })]
                : [];
        return [
            ...said,
            element(
                'table',
                { className: 'scores' },
                element('thead', {}, head),
                element('tbody', {}, ...period.scores.map((score) => this.#score(score))),
            ),
            basis,
            ...narrow,
            element(
                'details',
                {},
                element('summary', { textContent: 'What the columns mean' }),
                ...COLUMNS.map(([name, means]) => element('p', { className: 'hint' }, element('b', { textContent: `${name}: ` }), means)),
            ),
        ];
    }

    #score(score: PredictorScore): HTMLElement {
        return element(
            'tr',
            { className: score.id === 'map' ? 'own' : '' },
            element('th', { scope: 'row', textContent: nameOf(score) }),
            element('td', {}, orderBar(score), element('div', { textContent: orderWords(score) })),
            element('td', { textContent: topTenthWords(score.topTenth) }),
            element('td', { textContent: ofTwoWords(score.ofTwo) }),
        );
    }
}

/** Its span on a scale from the lowest to the highest that occur in practice. */
const SCALE_LOW = -0.2;
const SCALE_HIGH = 0.5;

/** The interval as a bar with a mark at 0. */
function orderBar({ order, orderInterval }: PredictorScore): HTMLElement {
    const place = (value: number): number => Math.min(100, Math.max(0, ((value - SCALE_LOW) / (SCALE_HIGH - SCALE_LOW)) * 100));
    const span = element('span', { className: 'span' });
    const zero = element('span', { className: 'zero' });
    const bar = element('div', { className: 'order-bar' }, zero, span);
    bar.setAttribute('aria-hidden', 'true');
    zero.style.left = `${place(0)}%`;
    const [low, high] = orderInterval ?? [order ?? 0, order ?? 0];
    span.style.left = `${place(low)}%`;
    span.style.width = `${Math.max(2, place(high) - place(low))}%`;
    span.hidden = order === null;
    return bar;
}
