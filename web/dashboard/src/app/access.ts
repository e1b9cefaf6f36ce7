/** The token of this page: where the server asks for one, when it runs out, and what happens when there is another. */
import { formatTime, type Zone, zoneName } from '../model/format.ts';
import type { ApiAccess } from '../transport/api.ts';
import { browserSession, expiryOf, type Session } from '../transport/session.ts';
import { Login } from '../ui/login.ts';

/** How long before it expires a person is asked for another token. */
const ASK_BEFORE_MS = 60_000;
/** Timers of browsers go no further. */
const TIMER_MAX_MS = 2 ** 31 - 1;

export interface AccessEvents {
    /** There is another token. */
    renewed(token: string): void;
    zone(): Zone;
}

export class Access implements ApiAccess {
    readonly #session: Session;
    readonly #events: AccessEvents;
    readonly #login = new Login((token, keep) => this.#session.set(token, keep));
    /** What the server said to the present token; null after it accepted one. */
    #refusal: string | null = null;
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(events: AccessEvents) {
        this.#events = events;
        this.#session = browserSession((token) => this.#changed(token));
        this.#watchExpiry(this.#session.token());
    }

    token(): string | null {
        return this.#session.token();
    }

    /** Asked once a token; who closes the form can open it again from the notice. */
    refused(why: string): void {
        const isFirst = this.#refusal === null;
        this.#refusal = why;
        if (isFirst) this.ask();
    }

    isRefused(): boolean {
        return this.#refusal !== null;
    }

    ask(): void {
        this.#login.open(this.#refusal ?? '');
    }

    #changed(token: string | null): void {
        if (token === null) return;
        this.#refusal = null;
        this.#login.close();
        this.#watchExpiry(token);
        this.#events.renewed(token);
    }

    #watchExpiry(token: string | null): void {
        clearTimeout(this.#timer);
        const expiry = token === null ? null : expiryOf(token);
        if (expiry === null) return;
        const due = expiry - ASK_BEFORE_MS - Date.now();
        if (due <= 0 || due > TIMER_MAX_MS) return;
        this.#timer = setTimeout(() => {
            const zone = this.#events.zone();
            this.#login.open(`The present one expires at ${formatTime(expiry, zone)} ${zoneName(expiry, zone)}.`);
        }, due);
    }
}
