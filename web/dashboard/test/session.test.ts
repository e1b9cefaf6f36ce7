/** The token of the page as pure functions: where it comes from, how long it is kept, and when it expires. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { expiryOf, Session, tokenIn } from '../src/transport/session.ts';

class Shelf implements Storage {
    readonly kept = new Map<string, string>();
    [name: string]: unknown;
    get length(): number {
        return this.kept.size;
    }
    clear(): void {
        this.kept.clear();
    }
    getItem(key: string): string | null {
        return this.kept.get(key) ?? null;
    }
    key(): string | null {
        return null;
    }
    removeItem(key: string): void {
        this.kept.delete(key);
    }
    setItem(key: string, value: string): void {
        this.kept.set(key, value);
    }
}

const stores = (): { tab: Shelf; device: Shelf } => ({ tab: new Shelf(), device: new Shelf() });

test('a token in the fragment is taken out, and the rest of the fragment stays', () => {
    assert.deepEqual(tokenIn('#token=a.b-c_d'), { token: 'a.b-c_d', rest: '' });
    assert.deepEqual(tokenIn('#x=1&token=t&y=2'), { token: 't', rest: '#x=1&y=2' });
    assert.deepEqual(tokenIn('#top'), { token: null, rest: '#top' });
    assert.deepEqual(tokenIn('#token='), { token: null, rest: '' }, 'an empty one is removed as well');
    assert.deepEqual(tokenIn(''), { token: null, rest: '' });
});

test('a token is kept for the tab, and on the device only when that was asked for', () => {
    const both = stores();
    const heard: (string | null)[] = [];
    const session = new Session(both, (token) => heard.push(token));
    assert.equal(session.takeFrom('#token=one'), '');
    assert.deepEqual([session.token(), both.tab.length, both.device.length], ['one', 1, 0]);
    session.set('two', true);
    assert.equal(new Session({ tab: new Shelf(), device: both.device }).token(), 'two', 'another tab');
    session.set('three', false);
    assert.equal(both.device.length, 0, 'what is not to be kept does not stay from before');
    session.set(null, false);
    assert.deepEqual([session.token(), both.tab.length], [null, 0]);
    assert.deepEqual(heard, ['one', 'two', 'three', null]);
    assert.equal(session.takeFrom('#top'), null);
});

test('without storage a token is kept in memory', () => {
    const full: Storage = Object.assign(new Shelf(), {
        setItem: () => {
            throw new Error('full');
        },
    });
    const session = new Session({ tab: full, device: null });
    session.set('t', true);
    assert.equal(session.token(), 't');
});

test('the expiry is read from a JWT, and from nothing else', () => {
    const jwt = (payload: object): string => `h.${Buffer.from(JSON.stringify(payload)).toString('base64url')}.s`;
    assert.equal(expiryOf(jwt({ exp: 1_766_932_200, sub: 'ü?>' })), 1_766_932_200_000);
    for (const token of [jwt({}), jwt({ exp: 'soon' }), 'opaque', 'a.b.c', '']) assert.equal(expiryOf(token), null, token);
});
