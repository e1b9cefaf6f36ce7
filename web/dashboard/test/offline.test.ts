/** Which requests the service worker answers: never those of data, never with an old page while the server is there. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { answeredBy, isServerGone } from '../src/model/offline.ts';

const SCOPE = 'https://heat.example/heat/';
const FILES = new Set(['', 'assets/index-AB12.js', 'icon.svg', 'manifest.webmanifest']);

function by(path: string, mode = 'cors', method = 'GET'): string {
    return answeredBy({ method, mode, url: new URL(path, SCOPE).href }, SCOPE, FILES);
}

test('the page comes from the server first, whatever it shows', () => {
    assert.equal(by('', 'navigate'), 'server_or_kept_page');
    assert.equal(by('?symbol=BTCUSDT&at=2025-11-20T18:00:00Z', 'navigate'), 'server_or_kept_page');
});

test('files with a hash come from the cache, others from the server first', () => {
    assert.equal(by('assets/index-AB12.js'), 'cache');
    assert.equal(by('icon.svg'), 'server_or_kept_file');
    assert.equal(by('assets/index-of-another-version.js'), 'browser');
});

test('data, sockets and everything of others are left to the browser', () => {
    for (const path of ['v1/symbols', 'v1/heatmap/history?symbol=X', 'prices/klines', 'ws/heatmap', 'v1/stream', 'metrics', 'health']) {
        assert.equal(by(path), 'browser', path);
        assert.equal(by(path, 'navigate'), 'browser', `${path} in the address bar`);
    }
    assert.equal(by('v1/alerts', 'cors', 'POST'), 'browser');
    assert.equal(by('/', 'navigate'), 'browser', 'a page above the folder');
    assert.equal(by('/other/assets/index-AB12.js'), 'browser');
    assert.equal(by('https://else.example/heat/assets/index-AB12.js'), 'browser');
});

test('a proxy without a server behind it counts as no connection, other refusals do not', () => {
    assert.deepEqual([502, 503, 504].map(isServerGone), [true, true, true]);
    assert.deepEqual([200, 401, 404, 429, 500].map(isServerGone), [false, false, false, false, false]);
});
