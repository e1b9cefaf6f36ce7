/** The running score in words: what may be claimed, and what may not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basisWords, ofTwoWords, orderWords, tooFewWords, verdictOf } from '../src/model/accuracy-words.ts';
import { type PredictorScore, parseAccuracy } from '../src/wire/accuracy.ts';

const score = (id: string, order: number | null, half = 0.03): PredictorScore => ({
    id,
    title: id,
    order,
    orderInterval: order === null ? null : [order - half, order + half],
    topTenth: 2.31,
    ofTwo: 0.736,
});

test('nothing is claimed that the intervals do not carry', () => {
    const verdicts: [PredictorScore[], RegExp | null][] = [
        [[score('map', 0.2), score('distance', 0.1)], /^Better than everything simpler; the best of them is distance/],
        [
            [score('map', 0.2), score('distance', 0.1), score('yesterdays_map', 0.16)],
            /^Ahead of yesterday's map, but the intervals overlap/,
        ],
        [[score('map', 0.2), score('distance', 0.25)], /^Not better than distance/],
        [[score('map', 0.02), score('distance', -0.4)], /^Not told apart from chance yet/],
        [[score('map', -0.2)], /^Worse than chance/],
        [[score('map', 0.2), score('distance', null)], /nothing simpler could be scored/],
        [[{ ...score('map', 0.2), orderInterval: null }, score('distance', 0.1)], /but the intervals overlap/],
        [[score('map', null), score('distance', 0.1)], null],
        [[], null],
    ];
    for (const [scores, expected] of verdicts) {
        const verdict = verdictOf(scores);
        if (expected === null) assert.equal(verdict, null);
        else assert.match(verdict?.text ?? '', expected);
    }
});

test('what the score rests on is written out in full', () => {
    const period = {
        days: 30,
        hours: 700,
        hoursWithEvents: 431,
        hoursLost: 1,
        events: 12_345,
        eventsNeeded: 100,
        steps: 9_587,
        stepsHit: 5_822,
        intervalOver: 'days' as const,
        scores: [],
    };
    assert.equal(
        basisWords(period),
        '12,345 liquidations in 431 of 700 graded hours; 1 hour could not be graded. ' +
            'The price crossed 9,587 steps of 0.1 %; in 61 % of them something was liquidated.',
    );
    assert.equal(tooFewWords({ events: 7, eventsNeeded: 100 }), 'Not enough events yet: 7 of 100.');
    assert.equal(orderWords(score('map', 0.2)), '0.20 (0.17 to 0.23)');
    assert.equal(orderWords(score('map', -0.01, 0.04)), '−0.01 (−0.05 to 0.03)');
    assert.deepEqual([ofTwoWords(0.736), ofTwoWords(null)], ['74 of 100', '–']);
});

test('an answer without figures is one, and a wrong one is named', () => {
    const period = { days: 1, hours: 0, hours_with_events: 0, hours_lost: 0, events: 0, events_needed: 100, cells: 0, cells_hit: 0 };
    const body = { is_graded: true, venues: [{ venue: 'okx', feed: 'x', is_throttled: true, periods: [{ ...period, predictors: [] }] }] };
    const { venues } = parseAccuracy(body);
    assert.deepEqual(venues[0]?.periods[0]?.scores, []);
    assert.match(basisWords(venues[0]?.periods[0] ?? assert.fail()), /^0 liquidations in 0 of 0 graded hours\. .* 0 % of them/);
    assert.throws(() => parseAccuracy({ venues: [{ periods: 5 }] }), /periods is not a list/);
});
