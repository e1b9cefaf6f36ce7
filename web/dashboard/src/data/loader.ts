/**
 * Fetches what is wanted now, in order and a few at once, and keeps what came within a bound.
 *
 * Wanting something else replaces the queue; what is on its way arrives and is kept, because the next pan may want it.
 */
export interface Wanted<T> {
    key: string;
    load(signal: AbortSignal): Promise<T>;
    /** Whether a kept one must be fetched again; it serves until the new one is there. */
    isOld?(kept: T, ageMs: number): boolean;
}

export interface LoaderOptions<T> {
    parallel: number;
    bytesMax: number;
    bytesOf(value: T): number;
    /** Something that was wanted is there. */
    arrived(): void;
    failed(error: unknown): void;
    now?(): number;
}

interface Kept<T> {
    value: T;
    bytes: number;
    at: number;
}

export class Loader<T> {
    readonly #options: LoaderOptions<T>;
    /** The least recently used first. */
    readonly #kept = new Map<string, Kept<T>>();
    readonly #running = new Set<string>();
    #queue: Wanted<T>[] = [];
    #bytes = 0;
    #abort = new AbortController();

    constructor(options: LoaderOptions<T>) {
        this.#options = options;
    }

    get(key: string): T | undefined {
        const kept = this.#kept.get(key);
        if (kept === undefined) return undefined;
        this.#kept.delete(key);
        this.#kept.set(key, kept);
        return kept.value;
    }

    /** Fetches what of this is not there, the first ones first. */
    want(wanted: readonly Wanted<T>[]): void {
        const now = this.#now();
        this.#queue = wanted.filter(({ key, isOld }) => {
            if (this.#running.has(key)) return false;
            const kept = this.#kept.get(key);
            return kept === undefined || isOld?.(kept.value, now - kept.at) === true;
        });
        this.#start();
    }

    /** Forgets everything, and what is on its way. */
    clear(): void {
        this.#abort.abort();
        this.#abort = new AbortController();
        this.#queue = [];
        this.#running.clear();
        this.#kept.clear();
        this.#bytes = 0;
    }

    #now(): number {
        return (this.#options.now ?? Date.now)();
    }

    #start(): void {
        while (this.#running.size < this.#options.parallel) {
            const next = this.#queue.shift();
            if (next === undefined) return;
            void this.#fetch(next);
        }
    }

    async #fetch({ key, load }: Wanted<T>): Promise<void> {
        const { signal } = this.#abort;
        this.#running.add(key);
        try {
            const value = await load(signal);
            if (signal.aborted) return;
            this.#keep(key, value);
            this.#running.delete(key);
            this.#options.arrived();
        } catch (error) {
            if (signal.aborted) return;
            this.#running.delete(key);
            // Everything behind it would most likely fail in the same way; who wants it still says so again.
            this.#queue = [];
            this.#options.failed(error);
        }
        this.#start();
    }

    #keep(key: string, value: T): void {
        const { bytesOf, bytesMax } = this.#options;
        this.#bytes -= this.#kept.get(key)?.bytes ?? 0;
        this.#kept.delete(key);
        const bytes = bytesOf(value);
        this.#kept.set(key, { value, bytes, at: this.#now() });
        this.#bytes += bytes;
        for (const [oldest, kept] of this.#kept) {
            if (this.#bytes <= bytesMax || oldest === key) break;
            this.#kept.delete(oldest);
            this.#bytes -= kept.bytes;
        }
    }
}
