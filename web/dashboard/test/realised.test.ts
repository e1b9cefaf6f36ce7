/** Liquidations as they happen, against sums made of all of them at once. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Happened } from '../src/data/happened.ts';
import { withRows } from '../src/model/realised-sums.ts';
import { totalsWith } from '../src/model/tape.ts';
import type { Liquidation } from '../src/wire/answers.ts';

const MINUTE = 60_000;

/** A few hundred rows, the same every time. */
function rowsOf(count: number): Liquidation[] {
    let seed = 7;
    const next = (): number => {
        seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31;
        return seed / 2 ** 31;
    };
    return Array.from({ length: count }, (_, at) => ({
        time: Math.floor((at + next()) * 11_000),
        venue: next() < 0.5 ? 'okx' : 'bybit',
        side: next() < 0.5 ? ('long' as const) : ('short' as const),
        price: 90_000 + 1_000 * next(),
        usd: Math.round(1_000 * next() * next()) + 1,
    }));
}

test('rows added one after another make the sums of all of them', () => {
    const rows = rowsOf(400);
    const atOnce = withRows([], rows, 5 * MINUTE);
    const sorted = (list: readonly Liquidation[]): Liquidation[] =>
        [...list].sort((a, b) => a.time - b.time || `${a.venue}${a.side}`.localeCompare(`${b.venue}${b.side}`));
    for (const cut of [1, 57, 200, 399]) {
        const inParts = sorted(withRows(withRows([], rows.slice(0, cut), 5 * MINUTE), rows.slice(cut), 5 * MINUTE));
        assert.equal(inParts.length, atOnce.length);
        for (const [at, sum] of sorted(atOnce).entries()) {
            const other = inParts[at];
            assert.deepEqual([other?.time, other?.venue, other?.side, other?.usd], [sum.time, sum.venue, sum.side, sum.usd]);
            assert.ok(Math.abs((other?.price ?? 0) - sum.price) < 1e-6);
        }
    }
    const usd = (list: readonly Liquidation[]): number => list.reduce((all, each) => all + each.usd, 0);
    assert.equal(usd(atOnce), usd(rows));
    for (const { time, venue, side, price } of atOnce) {
        const of = rows.filter(
            (row) => Math.floor(row.time / (5 * MINUTE)) * 5 * MINUTE === time && row.venue === venue && row.side === side,
        );
        assert.ok(price >= Math.min(...of.map((row) => row.price)) - 1e-6 && price <= Math.max(...of.map((row) => row.price)) + 1e-6);
    }
    assert.ok(
        atOnce.every(({ time }, at) => at === 0 || time >= (atOnce[at - 1]?.time ?? 0)),
        'oldest first',
    );
});

test('totals grow by what came since, also of a venue that had none', () => {
    const before = [{ hours: 1, longUsd: 10, shortUsd: 5, venues: [{ venue: 'okx', longUsd: 10, shortUsd: 5 }] }];
    const rows: Liquidation[] = [
        { time: 1, venue: 'bybit', side: 'long', price: 1, usd: 7 },
        { time: 2, venue: 'okx', side: 'short', price: 1, usd: 2 },
    ];
    assert.deepEqual(totalsWith(before, rows), [
        {
            hours: 1,
            longUsd: 17,
            shortUsd: 7,
            venues: [
                { venue: 'bybit', longUsd: 7, shortUsd: 0 },
                { venue: 'okx', longUsd: 10, shortUsd: 7 },
            ],
        },
    ]);
    assert.deepEqual(totalsWith(before, []), before);
});

test('what the socket brings is kept in order; after a loss it is read again', () => {
    const happened = new Happened();
    const frame = (times: readonly string[], also: { missed?: number; reset?: boolean } = {}) => ({
        type: 'liquidations' as const,
        symbol: 'BTCUSDT',
        timestamp: '2026-01-01T00:00:10Z',
        epoch: 'e',
        seq: 1,
        ...also,
        data: times.map((timestamp) => ({ timestamp, venue: 'okx', side: 'long' as const, price: 1, quantity: 1, usd: 1 })),
    });
    const times = (): number[] => happened.rows().map(({ time }) => time % MINUTE);
    assert.equal(happened.isHeard, false);
    assert.equal(happened.take(frame([])), true);
    assert.equal(happened.isHeard, true);
    assert.equal(happened.take(frame(['2026-01-01T00:00:01Z', 'yesterday', '2026-01-01T00:00:02Z'])), true);
    assert.deepEqual(times(), [1_000, 2_000], 'a row without a time costs itself only');
    assert.equal(happened.take(frame(['2026-01-01T00:00:09Z'], { missed: 3 })), false);
    assert.deepEqual(times(), [9_000]);
    assert.equal(happened.take(frame([], { reset: true })), false);
    happened.reset();
    assert.deepEqual([happened.rows(), happened.isHeard], [[], false]);
});
