/** The bar below the picture: which moment of the market is shown, the way back through what is loaded, and a replay of it. */
import { formatTime, type Zone, zoneName } from '../model/format.ts';
import { SPEEDS, type Speed } from '../model/playback.ts';
import { momentAt, type Span } from '../model/replay.ts';
import { byId, element } from './dom.ts';

const SPEED_LABELS: Record<Speed, string> = { '60': '1 min/s', '300': '5 min/s', '900': '15 min/s', '3600': '1 h/s', '14400': '4 h/s' };

export interface ScrubberEvents {
    /** The chosen moment; null for now. */
    look(moment: number | null): void;
    /** Begin, or stop where it is. */
    play(): void;
    /** Somebody wants to choose a date to begin at. */
    date(): void;
    speed(speed: Speed): void;
}

export interface ScrubberShown {
    span: Span | null;
    /** What is looked back to; null for now. */
    moment: number | null;
    /** The newest time known. */
    asOf: number | null;
    zone: Zone;
    playing: boolean;
    speed: Speed;
}

export class Scrubber {
    readonly #bar = byId('scrub', HTMLElement);
    readonly #slider = byId('scrub-to', HTMLInputElement);
    readonly #says = byId('scrub-says', HTMLElement);
    readonly #now = byId('scrub-now', HTMLButtonElement);
    readonly #play = byId('play', HTMLButtonElement);
    readonly #speed = byId('speed', HTMLSelectElement);
    #span: Span | null = null;

    constructor(events: ScrubberEvents) {
        this.#slider.addEventListener('input', () => {
            if (this.#span !== null) events.look(momentAt(this.#span, Number(this.#slider.value)));
        });
        this.#now.addEventListener('click', () => {
            // The button is about to go; the focus should not go with it.
            this.#slider.focus();
            events.look(null);
        });
        this.#play.addEventListener('click', () => events.play());
        byId('replay-date', HTMLButtonElement).addEventListener('click', () => events.date());
        this.#speed.append(...SPEEDS.map((value) => element('option', { value, textContent: SPEED_LABELS[value] })));
        this.#speed.addEventListener('change', () => {
            const speed = SPEEDS.find((each) => each === this.#speed.value);
            if (speed !== undefined) events.speed(speed);
        });
    }

    show({ span, moment, asOf, zone, playing, speed }: ScrubberShown): void {
        this.#span = span;
        this.#bar.hidden = span === null || asOf === null;
        if (span === null || asOf === null) return;
        const { first, last, step } = span;
        this.#slider.min = String(first);
        this.#slider.max = String(last + step);
        this.#slider.step = String(step);
        this.#slider.value = String(moment ?? last + step);
        const time = `${formatTime(moment ?? asOf, zone)} ${zoneName(asOf, zone)}`;
        this.#slider.setAttribute('aria-valuetext', moment === null ? `now, ${time}` : time);
        this.#says.replaceChildren(...(moment === null ? [] : [element('span', { className: 'wide', textContent: 'As of ' })]), time);
        this.#says.dataset.back = String(moment !== null);
        this.#now.hidden = moment === null;
        this.#play.setAttribute('aria-pressed', String(playing));
        this.#play.title = playing ? 'Pause (space)' : 'Play the past (space)';
        this.#speed.value = speed;
    }
}
