/** Playing the past: where a replay is after a while, and what it never does. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { around, beginning, followed, otherSpeed, type Playhead, played } from '../src/model/playback.ts';

const MINUTE = 60_000;
const SPAN = { first: 10 * MINUTE, last: 100 * MINUTE, step: 5 * MINUTE };
const PAST = { span: SPAN, isLive: false };

/** Moments that are shown, a frame every 16 ms. */
function moments(from: number, speed: number, frames: number, reach = PAST): (number | null)[] {
    let head: Playhead = { time: from, at: 0 };
    const list: (number | null)[] = [];
    for (let frame = 1; frame <= frames; frame++) {
        const next = played(head, frame * 16, speed, reach);
        head = next.head;
        list.push(next.moment);
    }
    return list;
}

test('a replay moves by the clock, in whole candles, whatever the frames are', () => {
    // A minute a second, from 20: the candle of 25 has ended after five seconds.
    const list = moments(20 * MINUTE, 60, 375);
    assert.equal(list[310], 20 * MINUTE);
    assert.equal(list[312], 25 * MINUTE);
    assert.ok(list.every((moment) => moment !== null && moment % SPAN.step === 0));
    const few = played({ time: 20 * MINUTE, at: 0 }, 900, 900, PAST);
    assert.equal(few.head.time, 20 * MINUTE + 810_000);
    assert.equal(few.moment, 30 * MINUTE);
});

test('it waits where the loaded past ends, without losing time, and ends at now', () => {
    const waiting = played({ time: 99 * MINUTE, at: 0 }, 900, 3600, PAST);
    assert.deepEqual(waiting, { head: { time: 100 * MINUTE, at: 900 }, moment: 100 * MINUTE, isWaiting: true });
    const more = played(waiting.head, 1_000, 3600, { span: { ...SPAN, last: 200 * MINUTE }, isLive: false });
    assert.equal(more.head.time, 106 * MINUTE);
    const now = played({ time: 99 * MINUTE, at: 0 }, 900, 3600, { span: SPAN, isLive: true });
    assert.deepEqual([now.moment, now.isWaiting], [null, false]);
    // A picture that reaches less far takes nothing back.
    assert.equal(played({ time: 120 * MINUTE, at: 0 }, 16, 60, PAST).head.time, 120 * MINUTE);
});

test('a tab that slept goes on where it was', () => {
    const { head } = played({ time: 20 * MINUTE, at: 0 }, 3_600_000, 60, PAST);
    assert.equal(head.time, 21 * MINUTE);
    assert.equal(played({ time: 20 * MINUTE, at: 500 }, 400, 60, PAST).head.time, 20 * MINUTE, 'a clock that goes back stands still');
});

test('it begins a little after the left edge, within what there is', () => {
    assert.equal(beginning({ from: 0, to: 80 * MINUTE }, SPAN), 20 * MINUTE);
    assert.equal(beginning({ from: -400 * MINUTE, to: 40 * MINUTE }, SPAN), SPAN.first);
    assert.equal(beginning({ from: 300 * MINUTE, to: 500 * MINUTE }, SPAN), SPAN.last);
});

test('the chart follows a moment that leaves it, and not before', () => {
    assert.equal(followed({ from: 0, to: 100 }, 50), null);
    assert.equal(followed({ from: 0, to: 100 }, 80), null);
    assert.deepEqual(followed({ from: 0, to: 100 }, 85), { from: 5, to: 105 });
    assert.deepEqual(followed({ from: 100, to: 200 }, 40), { from: -40, to: 60 });
    assert.deepEqual(around({ from: 0, to: 10 }, 1_000), { from: 992, to: 1_002 });
});

test('speeds end at the slowest and the fastest', () => {
    assert.equal(otherSpeed('300', 1), '900');
    assert.equal(otherSpeed('60', -1), '60');
    assert.equal(otherSpeed('14400', 1), '14400');
});
