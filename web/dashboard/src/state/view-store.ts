/**
 * Holds the view, keeps the address and the stored settings in step with it, and says when it has changed.
 *
 * Another symbol, range or pane is a step that the browser's Back takes back; settings of the same picture are not.
 */
import { load, save } from '../transport/stored.ts';
import { addressOf, isBare, viewFromAddress } from './address.ts';
import { type Action, DEFAULT_VIEW, reduce, type View } from './view.ts';

/** The browser's side: address bar, history and storage. */
export interface Place {
    query(): string;
    /** Writes the address, as a new step of the history or in place of the present one. */
    write(query: string, step: 'push' | 'replace'): void;
    /** Null where nothing is stored or nothing can be. */
    load(): string | null;
    save(text: string): void;
}

/** Browsers limit how often an address may be written: Safari to 100 times in 30 seconds. */
const REPLAY_WRITES_MS = 500;

/** What the address names; the stored settings for a bare one. */
export function firstView(place: Pick<Place, 'query' | 'load'>): View {
    const query = place.query();
    if (!isBare(query)) return viewFromAddress(query);
    const stored = place.load();
    return stored === null ? DEFAULT_VIEW : { ...viewFromAddress(stored), moment: null, playing: false, span: null, embedded: false };
}

export type Changed = (next: View, previous: View) => void;

export class ViewStore {
    readonly #place: Place;
    readonly #changed: Changed;
    #view: View;
    /** Writes what a replay came to. */
    #writing: ReturnType<typeof setTimeout> | undefined;

    constructor(place: Place, changed: Changed) {
        this.#place = place;
        this.#changed = changed;
        this.#view = firstView(place);
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
        if (action.kind === 'played') this.#writeSoon();
        else {
            // What a replay came to belongs to the step that is left.
            if (isStep && this.#writing !== undefined) this.#place.write(addressOf(previous), 'replace');
            this.#write(isStep ? 'push' : 'replace');
            // A frame in another page leaves this visitor's own settings alone.
            if (!next.embedded) this.#place.save(address);
        }
        this.#changed(next, previous);
    }

    /** Another page, which holds this one in a frame, says what is looked at. */
    adopt(view: View): void {
        const previous = this.#view;
        if (addressOf(view) === addressOf(previous)) return;
        this.#view = view;
        this.#writeSoon();
        this.#changed(view, previous);
    }

    /** The browser went back or forward. */
    moved(): void {
        clearTimeout(this.#writing);
        this.#writing = undefined;
        const previous = this.#view;
        this.#view = viewFromAddress(this.#place.query());
        this.#changed(this.#view, previous);
    }

    #write(step: 'push' | 'replace'): void {
        clearTimeout(this.#writing);
        this.#writing = undefined;
        this.#place.write(addressOf(this.#view), step);
    }

    #writeSoon(): void {
        this.#writing ??= setTimeout(() => this.#write('replace'), REPLAY_WRITES_MS);
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
    };
}
