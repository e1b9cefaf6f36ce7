/**
 * Opens the page where there is no connection to the server. `vite build` fills in the files and their version, a hash of their
 * content; the server sends this file with `no-cache`, so that every visit looks for another version.
 */
import { answeredBy, isServerGone } from './model/offline.ts';

/** Paths within the page's folder; '' is the page. */
declare const __FILES__: readonly string[];
declare const __VERSION__: string;

interface WorkerEvent extends Event {
    waitUntil(done: Promise<unknown>): void;
}

interface FetchEvent extends WorkerEvent {
    readonly request: Request;
    /** What the browser has asked the server for while the worker started. */
    readonly preloadResponse: Promise<Response | undefined>;
    respondWith(answer: Promise<Response>): void;
}

/** The part of `ServiceWorkerGlobalScope` that is used here; its types exclude those of pages. */
interface Worker {
    readonly registration: ServiceWorkerRegistration;
    readonly clients: { claim(): Promise<void> };
    skipWaiting(): Promise<void>;
    addEventListener(type: 'install' | 'activate', listener: (event: WorkerEvent) => void): void;
    addEventListener(type: 'fetch', listener: (event: FetchEvent) => void): void;
}

const worker = self as unknown as Worker;
const scope = worker.registration.scope;
const paths = __FILES__;
const files: ReadonlySet<string> = new Set(paths);
/** Pages in other folders of the same host have caches of their own. */
const prefix = `liqheat ${scope} `;
const name = prefix + __VERSION__;

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));
worker.addEventListener('fetch', (event) => {
    switch (answeredBy(event.request, scope, files)) {
        case 'server_or_kept_page':
            return event.respondWith(page(event));
        case 'server_or_kept_file':
            return event.respondWith(fetch(event.request).catch(async (error) => (await kept(event.request.url)) ?? Promise.reject(error)));
        case 'cache':
            return event.respondWith(kept(event.request.url).then((file) => file ?? fetch(event.request)));
        case 'browser':
            return;
    }
});

async function install(): Promise<void> {
    const cache = await caches.open(name);
    // Files with a hash come from the browser's cache, where the page has put them.
    const request = (path: string): Request => new Request(new URL(path, scope), path.startsWith('assets/') ? {} : { cache: 'no-cache' });
    await cache.addAll(paths.map(request));
    await worker.skipWaiting();
}

async function activate(): Promise<void> {
    for (const each of await caches.keys()) if (each.startsWith(prefix) && each !== name) await caches.delete(each);
    await worker.registration.navigationPreload?.enable();
    await worker.clients.claim();
}

async function kept(url: string): Promise<Response | undefined> {
    const cache = await caches.open(name);
    return cache.match(url);
}

async function page(event: FetchEvent): Promise<Response> {
    try {
        const answer = (await event.preloadResponse) ?? (await fetch(event.request));
        return isServerGone(answer.status) ? ((await kept(scope)) ?? answer) : answer;
    } catch (error) {
        const shell = await kept(scope);
        if (shell === undefined) throw error;
        return shell;
    }
}
