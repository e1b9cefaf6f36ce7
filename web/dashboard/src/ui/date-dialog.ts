/** "Go to": a date and time, in the zone that the page shows; to look at it, or to play the market from there. */
import { type Zone, zoneName } from '../model/format.ts';
import { byId } from './dom.ts';

const MINUTE_DIGITS = 16;

export class DateDialog {
    readonly #dialog = byId('date', HTMLDialogElement);
    readonly #input = byId('date-at', HTMLInputElement);
    #zone: Zone = 'utc';

    constructor(goTo: (time: number, isReplay: boolean) => void) {
        this.#dialog.addEventListener('click', (event) => {
            if (event.target === this.#dialog) this.#dialog.close();
        });
        this.#dialog.querySelector('form')?.addEventListener('submit', ({ submitter }) => {
            const time = timeOf(this.#input.value, this.#zone);
            if (time !== null) goTo(time, submitter?.id === 'date-replay');
        });
    }

    /** `at`: what it begins with; the data reaches from `first` to `last`. */
    open(zone: Zone, at: number, first: number, last: number): void {
        this.#zone = zone;
        byId('date-zone', HTMLElement).textContent = `Date and time, ${zoneName(at, zone)}`;
        this.#input.min = textOf(first, zone);
        this.#input.max = textOf(last, zone);
        this.#input.value = textOf(Math.min(last, Math.max(first, at)), zone);
        this.#dialog.showModal();
    }
}

/** As the field writes it: 2025-11-20T18:05. */
export function textOf(time: number, zone: Zone): string {
    if (zone === 'utc') return new Date(time).toISOString().slice(0, MINUTE_DIGITS);
    const offsetMs = new Date(time).getTimezoneOffset() * 60_000;
    return new Date(time - offsetMs).toISOString().slice(0, MINUTE_DIGITS);
}

/** Null for what is no time. */
export function timeOf(text: string, zone: Zone): number | null {
    const time = Date.parse(zone === 'utc' ? `${text}Z` : text);
    return Number.isFinite(time) ? time : null;
}
