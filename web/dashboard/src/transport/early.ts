/**
 * Answers that were asked for while most of the page's code was on its way. Each is handed over once, to whoever would ask for the
 * same.
 */

export const TIME_LIMIT_MS = 30_000;

export type Query = Record<string, string | number>;

/** The address of a route with its parameters. */
export function addressWith(base: URL, path: string, query: Query): URL {
    const url = new URL(path, base);
    for (const [name, value] of Object.entries(query)) url.searchParams.set(name, String(value));
    return url;
}

/** Null where there was no answer at all. */
type Answer = Promise<Response | null>;

export class EarlyAnswers {
    readonly #base: URL;
    readonly #answers = new Map<string, Answer>();

    /** `symbols`: what `early.js` has asked for; undefined where it did not. */
    constructor(base: URL, symbols: Answer | undefined) {
        this.#base = base;
        if (symbols !== undefined) this.#answers.set(addressWith(base, 'v1/symbols', {}).href, symbols);
    }

    /** The list of symbols, which is still there to be taken; null where nobody has asked for it, or it did not come. */
    async symbols(): Promise<unknown> {
        const answer = await this.#answers.get(addressWith(this.#base, 'v1/symbols', {}).href);
        return answer?.ok === true ? answer.clone().json() : null;
    }

    ask(path: string, query: Query, accept: string): void {
        const url = addressWith(this.#base, path, query);
        const answer = fetch(url, { headers: { accept }, signal: AbortSignal.timeout(TIME_LIMIT_MS) }).catch(() => null);
        this.#answers.set(url.href, answer);
    }

    /** The answer to a request, once; undefined where it was not asked for early. */
    take({ href }: URL): Answer | undefined {
        const answer = this.#answers.get(href);
        this.#answers.delete(href);
        return answer;
    }

    /** Drops what nobody has taken: a body that is not read holds its connection. */
    close(): void {
        for (const answer of this.#answers.values()) void answer.then((response) => response?.body?.cancel());
        this.#answers.clear();
    }
}
