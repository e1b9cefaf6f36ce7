/** Where somebody points in the chart: with a mouse, with a tap, or by holding it. Pixels count from the chart's corner. */

export interface Place {
    x: number;
    y: number;
}

/** A finger that moved less has tapped. */
const TAP_PX_MAX = 10;

export interface PointerSource {
    /** Width and height of what can be pointed at. */
    size(): { width: number; height: number };
    /** The pointer came, moved or went. */
    pointed(): void;
    /** A pointer took hold of the chart, or let go. */
    held(isHeld: boolean): void;
    /** A person moves the chart. */
    moved(): void;
    /** A right click, or a long press. */
    menu(place: Place): void;
}

export class ChartPointer {
    readonly #source: PointerSource;
    #place: Place | null = null;
    /** A tap stays until the next one, a mouse goes with its pointer. */
    #tapped = false;

    constructor(container: HTMLElement, source: PointerSource) {
        this.#source = source;
        this.#listenToTaps(container);
        this.#listenToMoves(container);
        container.addEventListener('contextmenu', (event) => {
            const place = this.#inside(container, event);
            if (place === null) return;
            event.preventDefault();
            source.menu(place);
        });
    }

    place(): Place | null {
        return this.#place;
    }

    /** The chart's own cross moved; undefined when it left. */
    crossed(point: Place | undefined): void {
        if (point === undefined && this.#tapped) return;
        if (point !== undefined) this.#tapped = false;
        this.#place = point === undefined ? null : { x: point.x, y: point.y };
        this.#source.pointed();
    }

    #inside(container: HTMLElement, { clientX, clientY }: MouseEvent): Place | null {
        const { left, top } = container.getBoundingClientRect();
        const { width, height } = this.#source.size();
        const at = { x: clientX - left, y: clientY - top };
        return at.x > width || at.y > height ? null : at;
    }

    /** The library shows its cross to a finger only after a long press; a tap points as well. */
    #listenToTaps(container: HTMLElement): void {
        let began: Place | null = null;
        container.addEventListener('pointerdown', ({ pointerType, isPrimary, clientX, clientY }) => {
            began = pointerType === 'touch' && isPrimary ? { x: clientX, y: clientY } : null;
        });
        container.addEventListener('pointerup', (event) => {
            if (began === null || Math.hypot(event.clientX - began.x, event.clientY - began.y) > TAP_PX_MAX) return;
            const at = this.#inside(container, event);
            if (at === null) return;
            const before = this.#tapped ? this.#place : null;
            const again = before !== null && Math.hypot(at.x - before.x, at.y - before.y) < TAP_PX_MAX;
            this.#tapped = !again;
            this.#place = again ? null : at;
            this.#source.pointed();
        });
    }

    #listenToMoves(container: HTMLElement): void {
        const { moved, held } = this.#source;
        container.addEventListener('wheel', moved, { capture: true, passive: true });
        container.addEventListener('touchmove', moved, { capture: true, passive: true });
        container.addEventListener(
            'pointermove',
            ({ buttons }) => {
                if (buttons !== 0) moved();
            },
            { capture: true },
        );
        container.addEventListener('pointerdown', () => held(true), { capture: true });
        window.addEventListener('pointerup', () => held(false));
        window.addEventListener('pointercancel', () => held(false));
    }
}
