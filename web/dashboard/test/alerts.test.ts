/** Alerts as pure functions: what a form becomes, what is proposed for a place, when a price is reached, and the words. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { draftAt, draftOf, draftOfWall, fieldsFor, freeName, roundedDown, ruleOf, usdOf } from '../src/model/alert-draft.ts';
import { alertWords, ruleWords, scopeWords } from '../src/model/alert-words.ts';
import { afterPrice, type PriceAlert, priceAlertsOf, toggled } from '../src/model/price-alerts.ts';
import { alarmSettingsOf } from '../src/ui/alarm.ts';
import { parseAlerts, RULE_KINDS } from '../src/wire/alerts.ts';

test('dollars are read as people write them, and nothing else is', () => {
    const read: [string, number | null][] = [
        ['25m', 25_000_000],
        ['$1.5 bn', 1_500_000_000],
        ['250,000', 250_000],
        ['500 K', 500_000],
        ['1e6', null],
        ['-5', null],
        ['0', null],
        ['', null],
        ['5x', null],
        ['99999999t', null],
    ];
    for (const [text, usd] of read) assert.equal(usdOf(text), usd, text);
});

test('a rule has only the fields of its kind, which is what the server takes', () => {
    for (const kind of RULE_KINDS) {
        const rule = ruleOf({ ...draftOf(kind, 'BTCUSDT', { side: 'long' }), kind }, 'a');
        assert.equal('within_pct' in rule, ['near_wall', 'wall_formed', 'wall_vanished'].includes(kind), kind);
        assert.equal('window_s' in rule, kind === 'cascade');
        assert.equal('after_s' in rule, kind === 'feed_stale');
        assert.equal('min_usd' in rule, kind !== 'feed_stale');
        assert.equal(rule.side, kind === 'feed_stale' ? undefined : 'long');
    }
    assert.equal(ruleOf({ ...draftOf('cascade', ''), kind: 'cascade' }, 'a').symbols, undefined, 'every symbol');
    assert.deepEqual([...fieldsFor('price')], ['price']);
});

test('a name is free and of letters that the server takes', () => {
    const draft = { kind: 'near_wall', symbol: 'BTCUSDT@okx' } as const;
    const first = freeName(draft, new Set());
    assert.match(first, /^[A-Za-z0-9._-]{1,64}$/);
    const second = freeName(draft, new Set([first]));
    assert.notEqual(second, first);
    assert.match(freeName({ kind: 'cascade', symbol: 'X'.repeat(200) }, new Set()), /^[A-Za-z0-9._-]{1,64}$/);
});

test('a point in a wall proposes that wall, and a point beside it its price', () => {
    const wall = { side: 'long', low: 90, high: 91, peak: 90.5, usd: 12_345_678, share: 0.1, distance: -0.09 } as const;
    assert.deepEqual(draftAt('A', 90.99, [wall]), { ...draftOfWall('A', wall), price: 90.99 });
    assert.equal(draftAt('A', 91, [wall]).kind, 'price', 'the upper edge belongs to the next bin');
    const { minUsd, side } = draftOfWall('A', wall);
    assert.deepEqual([minUsd, side], [9_800_000, 'long']);
    for (const usd of [1, 9.7, 99, 12_345, 9.99e11]) assert.ok(roundedDown(usd) <= usd && roundedDown(usd) > usd * 0.88, String(usd));
});

const waiting = (price: number, part: Partial<PriceAlert> = {}): PriceAlert => ({
    id: String(price),
    symbol: 'A',
    price,
    paused: false,
    reachedAt: null,
    ...part,
});

test('a price is reached once, from either side, by its own symbol, and not while it is paused', () => {
    const alerts = [waiting(100), waiting(105), waiting(95), waiting(102, { paused: true }), waiting(101, { symbol: 'B' })];
    const step = (list: readonly PriceAlert[], before: number | undefined, price: number): ReturnType<typeof afterPrice> =>
        afterPrice(list, { symbol: 'A', before, price, now: 7 });
    assert.deepEqual(step(alerts, undefined, 99).reached, [], 'a first price passes nothing');
    const up = step(alerts, 99, 103);
    assert.deepEqual(
        up.reached.map(({ price }) => price),
        [100],
    );
    assert.deepEqual(step(up.alerts, 103, 99).reached, [], 'once');
    assert.deepEqual(
        step(up.alerts, 99, 95).reached.map(({ price }) => price),
        [95],
    );
    assert.equal(up.alerts.find(({ price }) => price === 100)?.reachedAt, 7);
    const again = toggled(up.alerts, '100');
    assert.deepEqual(
        step(again, 103, 100).reached.map(({ price }) => price),
        [100],
        'armed again',
    );
    assert.equal(toggled(alerts, '105').find(({ id }) => id === '105')?.paused, true);
});

test('what is stored badly is skipped, and the good part kept', () => {
    const good = waiting(3);
    assert.deepEqual(priceAlertsOf(JSON.stringify([good, null, 5, { id: 'x' }, { ...good, price: -1 }])), [good]);
    for (const text of [null, '', '{', '{}', '7']) assert.deepEqual(priceAlertsOf(text), []);
    assert.equal(alarmSettingsOf('{"volume":9}').volume, alarmSettingsOf(null).volume);
    assert.equal(alarmSettingsOf('not json').card, true);
});

test('rules and alerts read as sentences', () => {
    const rule = { fields: { name: 'a', kind: 'near_wall', min_usd: 50_000_000, within_pct: 0.5, side: 'long' } } as const;
    assert.equal(ruleWords(rule), 'price within 0.5 % of a long wall of $50M or more');
    assert.equal(scopeWords(rule), 'every symbol');
    const body = {
        rules: [{ source: 'file', ...rule.fields }],
        targets: [],
        alerts: [
            {
                id: 'a:1',
                rule: 'a',
                symbol: 'BTCUSDT',
                time: '2025-11-21T00:00:00Z',
                price: 91_830,
                quiet: false,
                subject: {
                    kind: 'near_wall',
                    distance_pct: -0.47,
                    wall: { side: 'long', low: 91_200, high: 91_400, peak: 91_250, usd: 53_140_000 },
                },
                count: 3,
                total_usd: 99_000_000,
            },
        ],
    };
    const { rules, raised } = parseAlerts(body);
    assert.equal(rules[0]?.isEditable, false);
    const [alert] = raised;
    assert.ok(alert !== undefined);
    assert.equal(alertWords(alert, 'utc'), 'Price 0.47 % above a long wall of $53M at 91,200 – 91,400 (3 of them, $99M together)');
    const mixed = parseAlerts({ ...body, alerts: [{ ...body.alerts[0], subject: { kind: 'teleport' } }, ...body.alerts] });
    assert.equal(mixed.raised.length, 1, 'one of a kind that is not known is skipped');
});
