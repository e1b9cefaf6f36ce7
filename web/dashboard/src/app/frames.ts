/**
 * Many changes, one frame: whoever changes something marks what is dirty; one animation frame later everything dirty is
 * drawn, once. Nothing draws from a socket callback.
 */

export const DIRTY = {
    /** A live state or corrected candles are waiting to be painted. */
    live: 1,
    /** A setting changed: everything is coloured anew. */
    look: 2,
    badge: 4,
    tooltip: 8,
    map: 16,
} as const;

export class Frames {
    readonly #draw: (dirty: number) => void;
    #dirty = 0;
    #request = 0;

    constructor(draw: (dirty: number) => void) {
        this.#draw = draw;
    }

    mark(what: number): void {
        this.#dirty |= what;
        if (this.#request === 0) this.#request = requestAnimationFrame(() => this.#run());
    }

    stop(): void {
        cancelAnimationFrame(this.#request);
        this.#request = 0;
        this.#dirty = 0;
    }

    #run(): void {
        const dirty = this.#dirty;
        this.#dirty = 0;
        this.#request = 0;
        this.#draw(dirty);
    }
}
