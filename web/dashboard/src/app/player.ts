/** Moves the shown moment on while a replay plays, once an animation frame: nothing runs where nobody looks. */
import { beginning, type Playhead, played, type Reach } from '../model/playback.ts';
import type { TimeSpan, View } from '../state/view.ts';

export interface PlayerEvents {
    view(): View;
    /** What can be shown without loading more; null while the page waits for that, or somebody holds the chart. */
    reach(): Reach | null;
    /** What is visible of it. */
    visible(): TimeSpan | null;
    /** The replay has come to this moment; null for now. */
    came(moment: number | null): void;
}

export class Player {
    readonly #events: PlayerEvents;
    #head: Playhead | null = null;
    /** The moment that was handed out last; another one in the view was chosen by somebody. */
    #handedOut: number | null = null;
    #request = 0;

    constructor(events: PlayerEvents) {
        this.#events = events;
    }

    /** The view has changed. */
    follow({ playing }: View): void {
        if (playing === (this.#request !== 0)) return;
        cancelAnimationFrame(this.#request);
        this.#request = 0;
        this.#head = null;
        if (playing) this.#next();
    }

    /** Where a replay begins that nobody chose a moment for; null while there is no picture. */
    beginning(): number | null {
        const reach = this.#events.reach();
        const visible = this.#events.visible();
        return reach === null || visible === null ? null : beginning(visible, reach.span);
    }

    #next(): void {
        this.#request = requestAnimationFrame((now) => {
            this.#next();
            this.#frame(now);
        });
    }

    #frame(now: number): void {
        const { moment, speed } = this.#events.view();
        const reach = this.#events.reach();
        if (reach === null) {
            if (this.#head !== null) this.#head = { ...this.#head, at: now };
            return;
        }
        const from = moment ?? this.beginning();
        if (from === null) return;
        if (this.#head === null || moment !== this.#handedOut) this.#head = { time: from, at: now };
        const { head, moment: next } = played(this.#head, now, Number(speed), reach);
        this.#head = head;
        // Never back: another picture may have other boundaries, or end earlier.
        if (next !== null && moment !== null && next <= moment) {
            this.#handedOut = moment;
            return;
        }
        this.#handedOut = next;
        this.#events.came(next);
    }
}
