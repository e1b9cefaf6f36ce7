/** The panel beside the picture. Each is loaded when it is opened for the first time. */

import type { Draft } from '../model/alert-draft.ts';
import type { Zone } from '../model/format.ts';
import type { Heat, LiveLevel } from '../model/heat.ts';
import type { Panel } from '../state/view.ts';
import { byId, element } from '../ui/dom.ts';
import type { Liquidation } from '../wire/answers.ts';

const RETRY_MS = 5_000;

export interface PanelState {
    symbol: string;
    /** The symbol whose candles and liquidations are shown: another one than `symbol` of a layer of measured positions. */
    market: string;
    panel: Panel;
    zone: Zone;
    /** Of the market's prices. */
    decimals: number;
    /** Price and levels as they are shown; null while there is no picture. */
    state: { price: number | null; levels: readonly LiveLevel[]; bin: number; asOf: number | null } | null;
    heat: Heat | null;
    /** A moment is looked back to. */
    isPast: boolean;
    /** Liquidations as the socket brings them, oldest first; null where they have to be asked for. */
    recent: readonly Liquidation[] | null;
}

/** What panels ask of the page. */
export interface PanelActions {
    /** Shows a price in the chart. */
    goTo(price: number, title: string): void;
    setAlert(draft: Draft): void;
}

/** One panel; it draws into the element that it was made with. */
export interface PanelPart {
    show(state: PanelState): void;
    /** Another panel is shown, or none. */
    hide?(): void;
    /** Begins to set an alert; only the panel of alerts does. */
    propose?(draft: Draft): void;
}

export type PanelLoaders = Record<Exclude<Panel, 'none'>, (host: HTMLElement) => Promise<PanelPart>>;

interface Loaded {
    host: HTMLElement;
    /** Null while its code is on the way. */
    part: PanelPart | null;
}

export class SidePanel {
    readonly #host = byId('panel', HTMLElement);
    readonly #loaders: PanelLoaders;
    readonly #loaded = new Map<Panel, Loaded>();
    #last: PanelState | null = null;
    #draft: Draft | null = null;

    constructor(loaders: PanelLoaders) {
        this.#loaders = loaders;
    }

    show(state: PanelState): void {
        this.#last = state;
        const { panel } = state;
        this.#host.hidden = panel === 'none';
        for (const [each, { host, part }] of this.#loaded) {
            if (each !== panel && !host.hidden) part?.hide?.();
            host.hidden = each !== panel;
        }
        if (panel === 'none') return;
        const part = this.#open(panel).part;
        part?.show(state);
        if (this.#draft === null || part?.propose === undefined) return;
        part.propose(this.#draft);
        this.#draft = null;
    }

    /** Shown again with what is known, because something beside the market has changed. */
    refresh(): void {
        if (this.#last !== null) this.show(this.#last);
    }

    /** Handed to the panel of alerts as soon as it is shown. */
    propose(draft: Draft): void {
        this.#draft = draft;
        this.refresh();
    }

    #open(panel: Exclude<Panel, 'none'>): Loaded {
        const known = this.#loaded.get(panel);
        if (known !== undefined) return known;
        const host = element('div', { className: 'panel-body' }, element('p', { className: 'hint', textContent: 'Loading' }));
        const loaded: Loaded = { host, part: null };
        this.#loaded.set(panel, loaded);
        this.#host.append(host);
        this.#loaders[panel](host).then(
            (part) => {
                loaded.part = part;
                this.refresh();
            },
            () => {
                host.replaceChildren(
                    element('p', { className: 'hint', textContent: 'This panel could not be loaded; it is tried again in a moment.' }),
                );
                setTimeout(() => {
                    this.#loaded.delete(panel);
                    host.remove();
                    this.refresh();
                }, RETRY_MS);
            },
        );
        return loaded;
    }
}
