/**
 * Holds the view, keeps the address and the stored settings in step with it, and says when it has changed.
 *
 * Another symbol, range or pane is a step that the browser's Back takes back; settings of the same picture are not.
 */
import { load, save } from '../transport/stored.ts';
import { addressOf, isBare, viewFromAddress } from './address.ts';
import { type Action, DEFAULT_VIEW, reduce, type Theme, type View } from './view.ts';

/** The browser's side: address bar, history and storage. */
export interface Place {
    query(): string;
    /** Writes the address, as a new step of the history or in place of the present one. */
    write(query: string, step: 'push' | 'replace'): void;
    /** Null where nothing is stored or nothing can be. */
    load(): string | null;
    save(text: string): void;
    /** What the system prefers. */
    theme(): Theme;
}

export type Changed = (next: View, previous: View) => void;

export class ViewStore {
    readonly #place: Place;
    readonly #changed: Changed;
    #view: View;

    constructor(place: Place, changed: Changed) {
        this.#place = place;
        this.#changed = changed;
        const query = place.query();
        if (!isBare(query)) this.#view = viewFromAddress(query);
        else {
            const stored = place.load();
            const first = { ...DEFAULT_VIEW, theme: place.theme() };
            this.#view = stored === null ? first : { ...viewFromAddress(stored, first), moment: null, span: null, embedded: false };
        }
    }

    get(): View {
        return this.#view;
    }

    /** Writes the address for the first time; what it lacked stands there from now on. */
    start(): void {
        this.#place.write(addressOf(this.#view), 'replace');
    }

    dispatch(action: Action): void {
        const previous = this.#view;
        const next = reduce(previous, action);
        const address = addressOf(next);
        if (address === addressOf(previous)) return;
        this.#view = next;
        // The symbol that is chosen for a view without one is no step that somebody took.
        const isStep =
            previous.symbol !== '' && (next.symbol !== previous.symbol || next.range !== previous.range || next.pane !== previous.pane);
        this.#place.write(address, isStep ? 'push' : 'replace');
        // A frame in another page leaves this visitor's own settings alone.
        if (!next.embedded) this.#place.save(address);
        this.#changed(next, previous);
    }

    /** Another page, which holds this one in a frame, says what is looked at. */
    adopt(view: View): void {
        const previous = this.#view;
        if (addressOf(view) === addressOf(previous)) return;
        this.#view = view;
        this.#place.write(addressOf(view), 'replace');
        this.#changed(view, previous);
    }

    /** The browser went back or forward. */
    moved(): void {
        const previous = this.#view;
        this.#view = viewFromAddress(this.#place.query());
        this.#changed(this.#view, previous);
    }
}

const STORED_VIEW = 'liqheat.view';

export function browserPlace(): Place {
    return {
        query: () => location.search,
        write: (query, step) => {
            if (step === 'push') history.pushState(null, '', query);
            else history.replaceState(null, '', query);
        },
        load: () => load(STORED_VIEW),
        save: (text) => save(STORED_VIEW, text),
        theme: () => (window.matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark'),
    };
}
