/**
 * The outside world as this package sees it: sockets, HTTP, time, chance and the page. Tests hand in their own.
 */

/** The part of the standard WebSocket that is used. */
export interface Socket {
    binaryType: string;
    onopen: ((event: never) => void) | null;
    onmessage: ((event: { data: unknown }) => void) | null;
    onclose: ((event: { code: number; reason: string }) => void) | null;
    onerror: ((event: never) => void) | null;
    send(data: string): void;
    close(code?: number, reason?: string): void;
}

export interface Answer {
    status: number;
    /** Body of a 200, empty otherwise. */
    body: string;
}

export interface Environment {
    openSocket(url: string, protocols: string[]): Socket;
    get(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer>;
    /** Milliseconds since 1970. */
    now(): number;
    later(ms: number, run: () => void): () => void;
    random(): number;
    /**
     * `begin` runs as the next frame is about to be painted, `done` once it is; what arrives between the two is not in it. Both run soon
     * where there is no screen.
     */
    afterPaint(begin: () => void, done: () => void): void;
    /** Calls `woke` when the page comes back from the background, or the network does; the answer stops it. */
    watchPage(woke: () => void): () => void;
}

const HTTP_TIMEOUT_MS = 10_000;

async function get(url: string, headers: Record<string, string>, signal: AbortSignal): Promise<Answer> {
    const limit = AbortSignal.timeout(HTTP_TIMEOUT_MS);
    const answer = await fetch(url, { headers, cache: 'no-store', signal: AbortSignal.any([signal, limit]) });
    const body = answer.status === 200 ? await answer.text() : '';
    return { status: answer.status, body };
}

function watchPage(woke: () => void): () => void {
    if (typeof window === 'undefined' || typeof document === 'undefined') return () => {};
    const shown = (): void => {
        if (document.visibilityState === 'visible') woke();
    };
    document.addEventListener('visibilitychange', shown);
    window.addEventListener('pageshow', woke);
    window.addEventListener('online', woke);
    return () => {
        document.removeEventListener('visibilitychange', shown);
        window.removeEventListener('pageshow', woke);
        window.removeEventListener('online', woke);
    };
}

function afterPaint(begin: () => void, done: () => void): void {
    if (typeof requestAnimationFrame === 'undefined') {
        setTimeout(() => {
            begin();
            done();
        }, 0);
        return;
    }
    // The callback runs before the frame is painted; a task queued from it runs after.
    requestAnimationFrame(() => {
        begin();
        setTimeout(done, 0);
    });
}

export type OpenSocket = (url: string, protocols: string[]) => Socket;

export function standardEnvironment(openSocket: OpenSocket): Environment {
    return {
        openSocket,
        get,
        now: () => Date.now(),
        later: (ms, run) => {
            const timer = setTimeout(run, ms);
            return () => clearTimeout(timer);
        },
        random: () => Math.random(),
        afterPaint,
        watchPage,
    };
}
