/**
 * The token that the server asks for, where it asks for one.
 *
 * It comes in the address (`#token=..`, which browsers do not send to servers) or from a form, and is kept until the tab is closed;
 * longer only when somebody asks for that.
 */

const STORED = 'liqheat.token';

/** The two places where a token can be kept; either may be missing or refuse. */
export interface TokenStores {
    tab: Storage | null;
    device: Storage | null;
}

function read(store: Storage | null): string | null {
    try {
        return store?.getItem(STORED) ?? null;
    } catch {
        return null;
    }
}

function write(store: Storage | null, token: string | null): void {
    try {
        if (token === null) store?.removeItem(STORED);
        else store?.setItem(STORED, token);
    } catch {
        // Without storage the token is kept until the page is left.
    }
}

/** The token of an address' fragment, and the fragment without it. */
export function tokenIn(fragment: string): { token: string | null; rest: string } {
    const params = new URLSearchParams(fragment.replace(/^#/, ''));
    const token = params.get('token');
    if (token === null) return { token: null, rest: fragment };
    params.delete('token');
    const rest = params.toString();
    return { token: token === '' ? null : token, rest: rest === '' ? '' : `#${rest}` };
}

/** When a token expires, milliseconds since 1970; null for one that does not say so in the way of a JWT. */
export function expiryOf(token: string): number | null {
    try {
        const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/');
        const { exp } = JSON.parse(atob(payload)) as { exp?: unknown };
        return typeof exp === 'number' ? exp * 1000 : null;
    } catch {
        return null;
    }
}

export class Session {
    readonly #stores: TokenStores;
    readonly #changed: (token: string | null) => void;
    #token: string | null;

    constructor(stores: TokenStores, changed: (token: string | null) => void = () => {}) {
        this.#stores = stores;
        this.#changed = changed;
        this.#token = read(stores.tab) ?? read(stores.device);
    }

    token(): string | null {
        return this.#token;
    }

    /** Null forgets it everywhere. `keep`: also after the tab is closed. */
    set(token: string | null, keep: boolean): void {
        this.#token = token;
        write(this.#stores.tab, token);
        write(this.#stores.device, keep ? token : null);
        this.#changed(token);
    }

    /** Takes the token out of an address' fragment; the result is the fragment without it, or null where there was none. */
    takeFrom(fragment: string): string | null {
        const { token, rest } = tokenIn(fragment);
        if (rest === fragment) return null;
        if (token !== null) this.set(token, false);
        return rest;
    }
}

function storage(which: 'sessionStorage' | 'localStorage'): Storage | null {
    try {
        return window[which];
    } catch {
        return null;
    }
}

/** The session of the browser; takes the token from the address now, and from an address that is changed later. */
export function browserSession(changed: (token: string | null) => void): Session {
    let isReady = false;
    const session = new Session({ tab: storage('sessionStorage'), device: storage('localStorage') }, (token) => {
        if (isReady) changed(token);
    });
    const take = (): void => {
        const rest = session.takeFrom(location.hash);
        // Neither the address bar nor the history shows it from here on.
        if (rest !== null) history.replaceState(history.state, '', `${location.pathname}${location.search}${rest}`);
    };
    // Nothing has been asked for yet, so there is nobody to tell.
    take();
    isReady = true;
    window.addEventListener('hashchange', take);
    return session;
}
