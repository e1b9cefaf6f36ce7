/** Where the colour scale ends: at what is near the price, or at the largest cell. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Heat } from '../src/model/heat.ts';
import { addressOf, viewFromAddress } from '../src/state/address.ts';
import { DEFAULT_VIEW, reduce, type View } from '../src/state/view.ts';
import { type Command, listen } from '../src/ui/keyboard.ts';
import type { Grid } from '../src/wire/grid.ts';

const ROWS = 100;

/** Rows of 1 USD from 50 USD on; longs below 100 and shorts above. */
function grid(cells: readonly [column: number, row: number, step: number][]): Grid {
    const [long, short] = [new Uint8Array(2 * ROWS), new Uint8Array(2 * ROWS)];
    for (const [column, row, step] of cells) (row < 50 ? long : short)[column * ROWS + row] = step;
    const header = {
        symbol: 'S',
        epoch: 'e',
        as_of: 120_000,
        start: 0,
        column_ms: 60_000,
        columns: 2,
        rows: ROWS,
        price_low: 50,
        bin: 1,
        usd_min: 1_000,
        usd_max: 1e8,
        state: 'live',
        seen_share: 1,
        leverages: [],
    };
    return { header, long, short, classes: [] };
}

test('mass far from the price does not end the scale, unless one asks for it', () => {
    // The price is between 98 and 102: 20 USD away lies more than all that is near.
    const heat = new Heat(
        grid([
            [0, 48, 40],
            [0, 52, 50],
            [0, 28, 200],
            [1, 48, 60],
            [1, 52, 45],
            [1, 80, 220],
        ]),
    );
    assert.deepEqual([heat.peak(true), heat.peak()], [60, 220]);
    const level = (price: number, usd: number): { price: number; long_density: number; short_density: number } => ({
        price,
        long_density: price < 100 ? usd : 0,
        short_density: price < 100 ? 0 : usd,
    });
    heat.paint(119_000, 100, [level(98, 1e6), level(102, 1e5), level(130, 1e8)]);
    assert.deepEqual([heat.peak(true), heat.peak()], [heat.steps.step(1e6), 255]);
});

test('where there is nothing near the price, the largest cell ends the scale', () => {
    const far = new Heat(
        grid([
            [0, 5, 30],
            [0, 95, 70],
        ]),
    );
    assert.deepEqual([far.peak(true), far.peak()], [70, 70]);
    assert.equal(new Heat(grid([])).peak(true), 0);
});

/** What the page's keys say, without a browser. */
function keys(onCommand: (command: Command) => void): (key: string, more?: Partial<KeyboardEvent>) => void {
    let press: ((event: unknown) => void) | undefined;
    const none = class {};
    const page = {
        addEventListener(_: string, listener: (event: unknown) => void): void {
            press = listener;
        },
    };
    const stand = { document: page, HTMLSelectElement: none, HTMLInputElement: none, HTMLElement: none };
    const before = Object.fromEntries(Object.keys(stand).map((name) => [name, Reflect.get(globalThis, name) as unknown]));
    Object.assign(globalThis, stand);
    listen(onCommand, () => assert.fail('no range was asked for'));
    return (key, more = {}) => {
        Object.assign(globalThis, stand);
        press?.({ key, target: null, preventDefault: () => undefined, ...more });
        Object.assign(globalThis, before);
    };
}

test('the key K switches the end of the scale, and the address keeps it', () => {
    const heat = new Heat(
        grid([
            [1, 48, 60],
            [1, 52, 45],
            [1, 80, 220],
        ]),
    );
    let view: View = DEFAULT_VIEW;
    const press = keys((command) => {
        assert.equal(command, 'near');
        view = reduce(view, { kind: 'toggle', what: 'near' });
    });
    const peaks: number[] = [];
    for (const key of ['', 'k', 'K', 'k']) {
        if (key !== '') press(key);
        peaks.push(heat.peak(view.near));
        const query = addressOf(view);
        assert.match(query, view.near ? /near=1/ : /near=0/);
        assert.equal(viewFromAddress(query, { ...DEFAULT_VIEW, near: !view.near }).near, view.near);
    }
    assert.deepEqual(peaks, [60, 220, 60, 220]);
    press('k', { ctrlKey: true });
    press('k', { defaultPrevented: true });
    assert.equal(view.near, false, 'a shortcut of the browser stays one');
});
