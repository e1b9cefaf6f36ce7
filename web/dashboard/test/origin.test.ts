/** What a picture owes to assumptions, and where venues joined it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { seamsOf } from '../src/model/seams.ts';
import { SeenShares } from '../src/model/seen-shares.ts';
import { ASSUMED_SHOWN, veilOpacity } from '../src/render/veil-primitive.ts';

const HOUR = 3_600_000;

function near(value: number, wanted: number): void {
    assert.ok(Math.abs(value - wanted) < 1e-9, `${value} instead of ${wanted}`);
}

test('where nothing is known, nothing is called assumed', () => {
    const shares = new SeenShares();
    assert.equal(shares.assumedAt(5), 0);
    shares.reset(100);
    shares.add(200, null);
    shares.add(200, Number.NaN);
    shares.add(200, 7);
    assert.equal(shares.assumedAt(150), 0);
});

test('the assumed part shrinks by the same factor in the same time, from all of it where the data begins', () => {
    const shares = new SeenShares();
    shares.reset(0);
    shares.add(100, 0.75);
    near(shares.assumedAt(0), 1);
    near(shares.assumedAt(50), 0.5);
    near(shares.assumedAt(100), 0.25);
    near(shares.assumedAt(1_000), 0.25);
    near(shares.assumedAt(-50), 1);
    // Another answer between the two is kept to exactly.
    shares.add(50, 0.9);
    near(shares.assumedAt(50), 0.1);
    near(shares.assumedAt(25), Math.sqrt(0.1));
    // A newer answer for the same time replaces the older one.
    shares.add(50, 0.5);
    near(shares.assumedAt(50), 0.5);
});

test('where it is not known when data begins, the first answer holds before it', () => {
    const shares = new SeenShares();
    shares.reset(null);
    shares.add(100, 0.4);
    near(shares.assumedAt(0), 0.6);
    shares.reset(null);
    assert.equal(shares.assumedAt(100), 0, 'another symbol knows nothing of it');
});

test('after a hole that is not bridged the model begins anew', () => {
    const shares = new SeenShares();
    shares.reset(0);
    shares.add(10 * HOUR, 0.75);
    shares.add(60 * HOUR, 0.5);
    shares.hole({ from: 20 * HOUR, to: 25 * HOUR });
    near(shares.assumedAt(25 * HOUR), 0.25 * 2 ** (15 / 50));
    shares.hole({ from: 12 * HOUR, to: 40 * HOUR });
    near(shares.assumedAt(5 * HOUR), 0.5);
    near(shares.assumedAt(12 * HOUR), 0.25);
    near(shares.assumedAt(18 * HOUR), 0.25);
    assert.equal(shares.assumedAt(20 * HOUR), 0, 'within the hole there is nothing');
    near(shares.assumedAt(40 * HOUR), 1);
    near(shares.assumedAt(50 * HOUR), Math.SQRT1_2);
    const { version } = shares;
    shares.hole({ from: 12 * HOUR, to: 40 * HOUR });
    assert.equal(shares.version, version);
    // Of what is between two holes nothing may be known.
    shares.hole({ from: 70 * HOUR, to: 80 * HOUR });
    assert.equal(shares.assumedAt(90 * HOUR), 0);
});

test('a share of nothing stays nothing, and versions say when anything changed', () => {
    const shares = new SeenShares();
    shares.reset(0);
    shares.add(100, 1);
    assert.ok(shares.assumedAt(100) < 0.0011);
    const { version } = shares;
    shares.add(100, 1);
    assert.equal(shares.version, version);
    shares.add(200, 1);
    assert.ok(shares.version > version);
});

test('the veil begins where more than a little is assumed', () => {
    assert.equal(veilOpacity(0), 0);
    assert.equal(veilOpacity(ASSUMED_SHOWN), 0);
    assert.ok(veilOpacity(0.6) > 0.2 && veilOpacity(1) < 0.8);
});

test('venues that come later make a seam, together where they come together', () => {
    assert.deepEqual(seamsOf([]), []);
    assert.deepEqual(seamsOf([{ venue: 'okx', time: 5 }]), []);
    const begins = [
        { venue: 'okx', time: 50 * HOUR },
        { venue: 'binance', time: 0 },
        { venue: 'hyperliquid', time: HOUR / 2 },
        { venue: 'bybit', time: 50 * HOUR + 60_000 },
    ];
    assert.deepEqual(seamsOf(begins), [{ time: 50 * HOUR, venues: ['okx', 'bybit'] }]);
});
