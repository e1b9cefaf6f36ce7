/** Alerts of the page. Their code is loaded after the first picture, or when somebody wants to set one. */
import type { Api } from '../transport/api.ts';
import type { Alerting, AlertingEvents } from './alerting.ts';

const NONE: readonly number[] = [];

export class Alerts {
    readonly #api: Api;
    readonly #events: AlertingEvents;
    #loading: Promise<Alerting> | null = null;
    #loaded: Alerting | null = null;

    constructor(api: Api, events: AlertingEvents) {
        this.#api = api;
        this.#events = events;
    }

    /** # Throws when the code cannot be loaded; the next call tries again. */
    load(): Promise<Alerting> {
        this.#loading ??= this.#load();
        return this.#loading;
    }

    /** Null while the code is not there. */
    loaded(): Alerting | null {
        return this.#loaded;
    }

    /** Prices that alerts of a symbol wait for. */
    waiting(symbol: string): readonly number[] {
        return this.#loaded?.prices.waiting(symbol) ?? NONE;
    }

    async #load(): Promise<Alerting> {
        try {
            const { Alerting } = await import('./alerting.ts');
            this.#loaded = new Alerting(this.#api, this.#events);
        } catch (error) {
            this.#loading = null;
            throw error;
        }
        this.#loaded.start();
        this.#events.changed();
        return this.#loaded;
    }
}
