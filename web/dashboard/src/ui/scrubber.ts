/** The bar below the picture: which moment of the market is shown, and the way back through what is loaded. */
import { formatTime, type Zone, zoneName } from '../model/format.ts';
import { momentAt, type Span } from '../model/replay.ts';
import { byId, element } from './dom.ts';

export class Scrubber {
    readonly #bar = byId('scrub', HTMLElement);
    readonly #slider = byId('scrub-to', HTMLInputElement);
    readonly #says = byId('scrub-says', HTMLElement);
    readonly #now = byId('scrub-now', HTMLButtonElement);
    #span: Span | null = null;

    /** `look` receives the chosen moment, null for now. */
    constructor(look: (moment: number | null) => void) {
        this.#slider.addEventListener('input', () => {
            if (this.#span !== null) look(momentAt(this.#span, Number(this.#slider.value)));
        });
        this.#now.addEventListener('click', () => {
            // The button is about to go; the focus should not go with it.
            this.#slider.focus();
            look(null);
        });
    }

    /** `asOf`: the newest time known; `moment`: what is looked back to. */
    show(span: Span | null, moment: number | null, asOf: number | null, zone: Zone): void {
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
    }
}
