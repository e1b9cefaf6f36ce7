import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SourceHealth } from 'liqheat-client';
import { sourceLines, withSources } from '../src/model/sources.ts';

test('the badge names every venue with its state and age', () => {
    const now = Date.parse('2025-12-28T14:30:05Z');
    const sources: SourceHealth[] = [
        { venue: 'binance', state: 'live', as_of: '2025-12-28T14:30:00Z' },
        { venue: 'okx', state: 'down', as_of: null },
    ];
    assert.deepEqual(sourceLines(sources, now), ['binance: live, 5 s ago', 'okx: down']);
    const badge = { tone: 'warn', text: 'Degraded · 5 s', title: 'Part of the market data is missing.' } as const;
    assert.equal(withSources(badge, sources, now).title, 'Part of the market data is missing.\nbinance: live, 5 s ago\nokx: down');
    assert.equal(withSources(badge, [], now), badge, 'nothing is followed live');
});
