/**
 * The server's rules and alerts; what was raised since the first reading is reported once. They are read when somebody looks or
 * changes a rule, and from then on after states that arrive; by the clock only while no socket brings any.
 */
import { type Api, ApiError } from '../transport/api.ts';
import type { Alerts, RaisedAlert, RuleFields } from '../wire/alerts.ts';

/** With rules an alert may come any second; without any, somebody else may add one. */
const PACE_MS = 10_000;
const PACE_WITHOUT_RULES_MS = 60_000;
const PACE_FAILED_MS = 30_000;

export interface AlertFeedEvents {
    changed(): void;
    /** Whether states arrive by themselves, so that `due` is called. */
    isPushed(): boolean;
    /** Raised since the page was opened, oldest first; each once. */
    raised(alerts: readonly RaisedAlert[]): void;
}

export class AlertFeed {
    readonly #api: Api;
    readonly #events: AlertFeedEvents;
    #newest: Alerts | null = null;
    #failure = '';
    readonly #seen = new Set<string>();
    #timer: ReturnType<typeof setTimeout> | undefined;
    /** When to read next, by this machine's clock; never before somebody has read. */
    #dueAt = Number.POSITIVE_INFINITY;
    #abort = new AbortController();

    constructor(api: Api, events: AlertFeedEvents) {
        this.#api = api;
        this.#events = events;
    }

    /** Null before the first answer. */
    newest(): Alerts | null {
        return this.#newest;
    }

    /** Why there is no answer; empty while there is. */
    failure(): string {
        return this.#failure;
    }

    /** Something of the market arrived: reads if the last reading is old enough. */
    due(): void {
        if (Date.now() >= this.#dueAt) void this.refresh();
    }

    /** Reads now, and from then on by itself. */
    async refresh(): Promise<void> {
        clearTimeout(this.#timer);
        this.#dueAt = Number.POSITIVE_INFINITY;
        this.#abort.abort();
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        try {
            const alerts = await this.#api.alerts(signal);
            if (signal.aborted) return;
            this.#take(alerts);
        } catch (error) {
            if (signal.aborted) return;
            this.#failure = error instanceof Error ? error.message : String(error);
        }
        this.#events.changed();
        const rules = this.#newest?.rules.some(({ fields }) => fields.paused !== true) === true;
        const pace = this.#failure !== '' ? PACE_FAILED_MS : rules ? PACE_MS : PACE_WITHOUT_RULES_MS;
        this.#dueAt = Date.now() + pace;
        this.#wait(pace);
    }

    #wait(pace: number): void {
        this.#timer = setTimeout(() => (this.#events.isPushed() ? this.#wait(pace) : void this.refresh()), pace);
    }

    #take(alerts: Alerts): void {
        const isFirst = this.#newest === null;
        this.#newest = alerts;
        this.#failure = '';
        const fresh = alerts.raised.filter(({ id }) => !this.#seen.has(id)).reverse();
        this.#seen.clear();
        for (const { id } of alerts.raised) this.#seen.add(id);
        if (!isFirst && fresh.length > 0) this.#events.raised(fresh);
    }

    /** Puts a rule in force, in place of one of the same name. The result says why the server refused. */
    put(rule: RuleFields): Promise<string | null> {
        return this.#change(() => this.#api.putRule(rule));
    }

    remove(name: string): Promise<string | null> {
        return this.#change(() => this.#api.deleteRule(name));
    }

    async #change(change: () => Promise<void>): Promise<string | null> {
        try {
            await change();
        } catch (error) {
            return error instanceof ApiError ? error.message : String(error);
        }
        await this.refresh();
        return null;
    }
}
