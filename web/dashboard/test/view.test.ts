/** The view: its reducer, its form in the address, and the store that keeps both in step with the browser. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTime, zoneName } from '../src/model/format.ts';
import { addressOf, isBare, viewFromAddress } from '../src/state/address.ts';
import { type Action, DEFAULT_VIEW, drawn, reduce, type View } from '../src/state/view.ts';
import { type Place, ViewStore } from '../src/state/view-store.ts';

const ODD: View = {
    symbol: '1000PEPEUSDT@okx',
    range: '30d',
    pane: 'map',
    side: 'split',
    scale: 'percentile',
    colours: 'cividis',
    threshold: 0.25,
    theme: 'light',
    events: false,
    swept: false,
    near: false,
    hidden: [5, 100],
    opened: '7d',
    panel: 'tape',
    zone: 'local',
    axis: 'log',
    studies: ['funding', 'volume'],
    interval: '4h',
    speed: '3600',
    moment: Date.UTC(2025, 10, 20, 18, 5),
    playing: true,
    span: { from: Date.UTC(2025, 10, 20), to: Date.UTC(2025, 10, 21, 3, 0, 7) },
    charts: ['ETHUSDT', 'BTCUSDT@okx'],
    embedded: true,
};

test('every field of a view survives the address', () => {
    assert.deepEqual(viewFromAddress(addressOf(ODD)), ODD);
    for (const key of Object.keys(ODD) as (keyof View)[]) {
        assert.notDeepEqual(ODD[key], DEFAULT_VIEW[key], `${key} is another one than by default, so the test above sees it`);
        const one = { ...DEFAULT_VIEW, [key]: ODD[key] };
        assert.deepEqual(viewFromAddress(addressOf(one)), one, key);
    }
});

test("a link names what it shows, so that the reader's own settings do not fill it", () => {
    const address = addressOf({ ...DEFAULT_VIEW, symbol: 'BTCUSDT' });
    for (const name of [
        'symbol',
        'range',
        'view',
        'side',
        'scale',
        'colours',
        'threshold',
        'theme',
        'events',
        'swept',
        'near',
        'axis',
        'zone',
        'panel',
        'speed',
    ]) {
        assert.match(address, new RegExp(`[?&]${name}=`), name);
    }
    assert.deepEqual(viewFromAddress(address, ODD).side, 'both');
});

test('a broken address is repaired part by part', () => {
    assert.deepEqual(viewFromAddress('?range=9y&scale=log2&threshold=abc&colours=magma&symbol=btcusdt&at=never&from=2&to=1&axis=round'), {
        ...DEFAULT_VIEW,
        symbol: 'BTCUSDT',
        colours: 'magma',
    });
    assert.equal(viewFromAddress('?threshold=7').threshold, 0.95);
    assert.deepEqual(viewFromAddress('?hide=100,5,5,x,-3').hidden, [5, 100]);
    assert.equal(viewFromAddress('?symbol=btcusdt@OKX').symbol, 'BTCUSDT@okx');
    assert.equal(viewFromAddress('?at=1763661900000').moment, Date.UTC(2025, 10, 20, 18, 5));
    assert.equal(isBare('?utm_source=x'), true);
    assert.equal(isBare('?theme=dark'), false);
});

test('another symbol or range is shown as of now and in full; other settings leave moment and span alone', () => {
    for (const action of [
        { kind: 'open', symbol: 'X' },
        { kind: 'open', range: '12h' },
    ] satisfies Action[]) {
        const next = reduce(ODD, action);
        assert.deepEqual([next.moment, next.span], [null, null]);
    }
    assert.deepEqual(reduce(ODD, { kind: 'open', range: '12h' }).symbol, ODD.symbol);
    for (const action of [
        { kind: 'next', what: 'scale' },
        { kind: 'toggle', what: 'events' },
        { kind: 'panel', panel: 'walls' },
    ] satisfies Action[]) {
        const next = reduce(ODD, action);
        assert.deepEqual([next.moment, next.span], [ODD.moment, ODD.span]);
    }
    assert.equal(reduce({ ...ODD, axis: 'percent' }, { kind: 'next', what: 'axis' }).axis, 'linear');
    assert.equal(reduce(ODD, { kind: 'panel', panel: 'tape' }).panel, 'none', 'the same again closes it');
});

/** A browser with an address, its history and a storage. */
class FakePlace implements Place {
    history: string[];
    at = 0;
    stored: string | null;

    constructor(query: string, stored: string | null = null) {
        this.history = [query];
        this.stored = stored;
    }

    query(): string {
        return this.history[this.at] ?? '';
    }

    write(query: string, step: 'push' | 'replace'): void {
        this.history.length = this.at + 1;
        if (step === 'push') this.history.push(query);
        else this.history[this.at] = query;
        this.at = this.history.length - 1;
    }

    load(): string | null {
        return this.stored;
    }

    save(text: string): void {
        this.stored = text;
    }
}

test('stored settings fill a bare address only', () => {
    const stored = addressOf({ ...ODD, embedded: false });
    const bare = new ViewStore(new FakePlace('', stored), () => {}).get();
    assert.deepEqual([bare.side, bare.theme, bare.moment, bare.span], ['split', 'light', null, null]);
    const linked = new ViewStore(new FakePlace('?symbol=BTCUSDT&range=3d', stored), () => {}).get();
    assert.deepEqual(linked, { ...DEFAULT_VIEW, symbol: 'BTCUSDT' });
});

test('the theme is that of the system until another one is chosen', () => {
    const first = new ViewStore(new FakePlace(''), () => {}).get();
    assert.equal(first.theme, 'system');
    assert.deepEqual([drawn(first, 'light').theme, drawn(first, 'dark').theme], ['light', 'dark']);
    assert.equal(drawn({ ...first, theme: 'dark' }, 'light').theme, 'dark');
    assert.equal(viewFromAddress('?theme=dim').theme, 'system');
});

test('Back takes back symbol, range and pane; settings stay with the step they were made in', () => {
    const place = new FakePlace('');
    const changes: [string, string][] = [];
    const store = new ViewStore(place, (next, previous) =>
        changes.push([`${previous.symbol} ${previous.range}`, `${next.symbol} ${next.range}`]),
    );
    store.start();
    store.dispatch({ kind: 'open', symbol: 'BTCUSDT' });
    assert.equal(place.history.length, 1, 'the first symbol is no step that somebody took');
    store.dispatch({ kind: 'open', symbol: 'ETHUSDT' });
    store.dispatch({ kind: 'next', what: 'scale' });
    store.dispatch({ kind: 'open', range: '7d' });
    assert.equal(place.history.length, 3);
    place.at -= 1;
    store.moved();
    assert.deepEqual([store.get().symbol, store.get().range, store.get().scale], ['ETHUSDT', '3d', 'log']);
    place.at -= 1;
    store.moved();
    assert.deepEqual([store.get().symbol, store.get().scale], ['BTCUSDT', 'linear']);
    assert.deepEqual(changes.at(-1), ['ETHUSDT 3d', 'BTCUSDT 3d']);
});

test('a replay writes the address now and then, and at once when it stops', ({ mock }) => {
    mock.timers.enable({ apis: ['setTimeout'] });
    const place = new FakePlace('?symbol=BTCUSDT');
    let writes = 0;
    const write = place.write.bind(place);
    place.write = (query, step) => {
        writes += 1;
        write(query, step);
    };
    const store = new ViewStore(place, () => {});
    const begin = Date.UTC(2025, 10, 20);
    store.dispatch({ kind: 'play', moment: begin });
    for (let n = 1; n <= 40; n++) {
        store.dispatch({ kind: 'played', moment: begin + n * 60_000 });
        mock.timers.tick(50);
    }
    assert.equal(store.get().moment, begin + 40 * 60_000);
    assert.ok(writes >= 4 && writes <= 6, `${writes} writes in two seconds`);
    store.dispatch({ kind: 'played', moment: begin + 41 * 60_000 });
    store.dispatch({ kind: 'pause' });
    const now = viewFromAddress(place.query());
    assert.deepEqual([now.moment, now.playing], [begin + 41 * 60_000, false]);
    // A step away from a replay leaves what it came to behind.
    store.dispatch({ kind: 'play', moment: begin });
    store.dispatch({ kind: 'played', moment: begin + 60_000 });
    store.dispatch({ kind: 'open', symbol: 'ETHUSDT' });
    assert.deepEqual([store.get().moment, store.get().playing], [null, false]);
    assert.equal(viewFromAddress(place.history.at(-2) ?? '').moment, begin + 60_000);
    assert.equal(reduce({ ...ODD, playing: true }, { kind: 'played', moment: null }).playing, false);
    assert.equal(reduce(ODD, { kind: 'look_back', moment: 1 }).playing, true, 'a chosen moment is played on from');
});

test('what changes nothing writes nothing, and a frame in another page keeps its settings to itself', () => {
    const place = new FakePlace('?symbol=BTCUSDT&embed=1');
    let changes = 0;
    const store = new ViewStore(place, () => {
        changes += 1;
    });
    store.dispatch({ kind: 'set', part: { scale: 'linear' } });
    assert.equal(changes, 0);
    store.dispatch({ kind: 'set', part: { scale: 'log' } });
    assert.deepEqual([changes, place.stored], [1, null]);
});

test("times are written in UTC or in the reader's zone, with its name", () => {
    const time = Date.UTC(2025, 11, 28, 23, 5);
    assert.equal(formatTime(time), '28 Dec 23:05');
    const local = new Date(time);
    assert.match(formatTime(time, 'local'), new RegExp(`^${local.getDate()} \\w+ ${String(local.getHours()).padStart(2, '0')}:`));
    assert.equal(zoneName(time, 'utc'), 'UTC');
    assert.match(zoneName(time, 'local'), /^UTC([+−]\d+(:\d\d)?)?$/);
});

test('a page that the server lets others frame is an embedded one, wherever the field stands', () => {
    for (const query of ['?embed=1', '?embed=0&embed=1', '?embed=1&embed=0', '?%65mbed=0&embed=1']) {
        assert.equal(viewFromAddress(query).embedded, true, query);
    }
    for (const query of ['', '?embed=0', '?noembed=1']) assert.equal(viewFromAddress(query).embedded, false, query);
});
