/** Something that a panel reads for a key (a symbol), again after a while; what another key asked for is dropped. */
import { ApiError } from '../transport/api.ts';

export class Fetched<Value> {
    readonly #ask: (key: string, signal: AbortSignal) => Promise<Value>;
    readonly #changed: () => void;
    #key = '';
    #value: Value | null = null;
    #failure = '';
    #askedAt = 0;
    #isAsking = false;
    #abort = new AbortController();

    constructor(ask: (key: string, signal: AbortSignal) => Promise<Value>, changed: () => void) {
        this.#ask = ask;
        this.#changed = changed;
    }

    /** Null before the first answer for the key. */
    value(): Value | null {
        return this.#value;
    }

    /** Why the newest question has no answer; empty when it has one. */
    failure(): string {
        return this.#failure;
    }

    /** Reads when the key is another one, or when the last question is older than `everyMs`. Called as often as one likes. */
    want(key: string, everyMs: number): void {
        const isOther = key !== this.#key;
        if (!isOther && (this.#isAsking || Date.now() - this.#askedAt < everyMs)) return;
        if (isOther) {
            this.#key = key;
            this.#value = null;
            this.#failure = '';
        }
        void this.#fetch();
    }

    async #fetch(): Promise<void> {
        this.#abort.abort();
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        this.#askedAt = Date.now();
        this.#isAsking = true;
        try {
            const value = await this.#ask(this.#key, signal);
            if (signal.aborted) return;
            this.#value = value;
            this.#failure = '';
        } catch (error) {
            if (signal.aborted) return;
            this.#failure = error instanceof ApiError ? error.message : String(error);
        }
        this.#isAsking = false;
        this.#changed();
    }
}
