import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasStudy, studyPoints } from '../src/model/studies.ts';
import { textOf, timeOf } from '../src/ui/date-dialog.ts';
import { parseSeries } from '../src/wire/answers.ts';

const row = (time: number, volume: number | null, takerBuy: number | null) => ({
    time,
    volume,
    takerBuy,
    openInterest: null,
    funding: null,
});

test('the delta is summed over what is known, and unknown intervals have none', () => {
    const points = studyPoints([0, 60, 120, 180], 60, [row(0, 10, 7), row(60, 10, 2), row(120, null, null), row(180, 4, 4)], []);
    assert.deepEqual(
        points.map(({ cvd }) => cvd),
        [4, -2, null, 2],
    );
    assert.deepEqual(
        [hasStudy(points, 'volume'), hasStudy(points, 'open_interest'), hasStudy(points, 'liquidations')],
        [true, false, false],
    );
});

test('liquidations fall into the interval they happened in, by side', () => {
    const at = (time: number, side: 'long' | 'short', usd: number) => ({ time, side, price: 1, usd });
    const points = studyPoints([0, 60], 60, [], [at(59, 'long', 5), at(60, 'long', 7), at(119, 'short', 1), at(61, 'long', 3)]);
    assert.deepEqual(
        points.map(({ longUsd, shortUsd }) => [longUsd, shortUsd]),
        [
            [5, 0],
            [10, 1],
        ],
    );
});

test('an answer with nulls is read as unknown, never as zero', () => {
    const body = {
        data: [{ timestamp: '2025-11-20T18:00:00Z', volume: 0, taker_buy_volume: null, open_interest: 12.5, funding_rate: -0.0001 }],
    };
    assert.deepEqual(parseSeries(body), [
        { time: Date.UTC(2025, 10, 20, 18), volume: 0, takerBuy: null, openInterest: 12.5, funding: -0.0001 },
    ]);
    assert.throws(() => parseSeries({ data: [{ timestamp: 'yesterday' }] }), /timestamp/);
});

test('a date in the field means the zone that is shown', () => {
    const time = Date.UTC(2025, 2, 30, 0, 30);
    for (const zone of ['utc', 'local'] as const) assert.equal(timeOf(textOf(time, zone), zone), time);
    assert.equal(textOf(time, 'utc'), '2025-03-30T00:30');
    assert.equal(timeOf('', 'utc'), null);
});
