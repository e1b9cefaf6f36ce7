/**
 * Which requests the service worker answers, so that the page opens without a connection and never stays an old one: the page
 * itself comes from the server whenever that answers, files with a hash in their name from the cache, data always from the server.
 */

/** Who answers a request. */
export type AnsweredBy =
    /** The server; the kept page where there is no connection to it. */
    | 'server_or_kept_page'
    /** The cache: the file never changes. */
    | 'cache'
    /** The server; the kept file where there is no connection to it. */
    | 'server_or_kept_file'
    /** The browser, as if there were no service worker. */
    | 'browser';

export interface AskedFor {
    method: string;
    /** `navigate` where a page is opened. */
    mode: string;
    url: string;
}

/** Vite puts a hash of the content into names of this folder. */
const HASHED = 'assets/';

/** `scope`: the address of the page's folder; `files`: what is kept of it, as paths within that folder. */
export function answeredBy({ method, mode, url }: AskedFor, scope: string, files: ReadonlySet<string>): AnsweredBy {
    const { origin, pathname } = new URL(url);
    const folder = new URL(scope);
    if (method !== 'GET' || origin !== folder.origin || !pathname.startsWith(folder.pathname)) return 'browser';
    const path = pathname.slice(folder.pathname.length);
    if (mode === 'navigate') return path === '' ? 'server_or_kept_page' : 'browser';
    if (!files.has(path) || path === '') return 'browser';
    return path.startsWith(HASHED) ? 'cache' : 'server_or_kept_file';
}

/** What proxies answer for a server that is gone. */
const GATEWAY_ERRORS: readonly number[] = [502, 503, 504];

export function isServerGone(status: number): boolean {
    return GATEWAY_ERRORS.includes(status);
}
