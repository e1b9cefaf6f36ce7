/** The real environment: what of the page wakes a connection, and when something counts as painted. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { standardEnvironment } from '../src/transport/environment.ts';

const world = standardEnvironment(() => {
    throw new Error('no socket is opened here');
});

test('a page that comes back, a page from the cache and a network that returns each wake; a hidden page does not', () => {
    const page = Object.assign(new EventTarget(), { visibilityState: 'hidden' });
    const frame = new EventTarget();
    Object.assign(globalThis, { document: page, window: frame });
    try {
        let woken = 0;
        const stop = world.watchPage(() => {
            woken += 1;
        });
        page.dispatchEvent(new Event('visibilitychange'));
        assert.equal(woken, 0, 'it went to the background');
        page.visibilityState = 'visible';
        page.dispatchEvent(new Event('visibilitychange'));
        frame.dispatchEvent(new Event('pageshow'));
        frame.dispatchEvent(new Event('online'));
        assert.equal(woken, 3);
        stop();
        page.dispatchEvent(new Event('visibilitychange'));
        frame.dispatchEvent(new Event('pageshow'));
        frame.dispatchEvent(new Event('online'));
        assert.equal(woken, 3, 'nothing is left behind');
    } finally {
        Reflect.deleteProperty(globalThis, 'document');
        Reflect.deleteProperty(globalThis, 'window');
    }
});

test('without a page nothing wakes, and soon is when something was painted', async () => {
    world.watchPage(() => assert.fail('there is no page'))();
    const order: string[] = [];
    await new Promise<void>((resolve) =>
        world.afterPaint(
            () => order.push('begins'),
            () => {
                order.push('done');
                resolve();
            },
        ),
    );
    assert.deepEqual(order, ['begins', 'done']);
});

test('a frame begins with the animation frame and is done after it, not in it', async () => {
    const order: string[] = [];
    let frame = (): void => {};
    Object.assign(globalThis, {
        requestAnimationFrame: (run: () => void) => {
            frame = run;
        },
    });
    try {
        const painted = new Promise<void>((resolve) =>
            world.afterPaint(
                () => order.push('begins'),
                () => {
                    order.push('done');
                    resolve();
                },
            ),
        );
        frame();
        order.push('painted');
        await painted;
        assert.deepEqual(order, ['begins', 'painted', 'done']);
    } finally {
        Reflect.deleteProperty(globalThis, 'requestAnimationFrame');
    }
});
