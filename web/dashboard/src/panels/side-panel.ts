/** The panel beside the picture: walls, or the tape of realised liquidations. */

import type { Zone } from '../model/format.ts';
import type { Heat, LiveLevel } from '../model/heat.ts';
import type { Panel } from '../state/view.ts';
import type { Api } from '../transport/api.ts';
import { byId } from '../ui/dom.ts';
import { TapePanel } from './tape-panel.ts';
import { WallsPanel } from './walls-panel.ts';

export interface PanelState {
    symbol: string;
    panel: Panel;
    zone: Zone;
    /** Of the market's prices. */
    decimals: number;
    /** Price and levels as they are shown; null while there is no picture. */
    state: { price: number | null; levels: readonly LiveLevel[]; bin: number; asOf: number | null } | null;
    heat: Heat | null;
}

export class SidePanel {
    readonly #host = byId('panel', HTMLElement);
    readonly #walls: WallsPanel;
    readonly #tape: TapePanel;
    #resized = '';

    /** `goTo` shows a price in the chart. */
    constructor(api: Api, goTo: (price: number, title: string) => void) {
        this.#walls = new WallsPanel(this.#host, goTo);
        this.#tape = new TapePanel(this.#host, api, goTo);
    }

    show(state: PanelState): void {
        this.#host.hidden = state.panel === 'none';
        if (state.panel !== this.#resized) this.#host.replaceChildren();
        this.#resized = state.panel;
        if (state.panel === 'walls') this.#walls.show(state);
        if (state.panel === 'tape') this.#tape.show(state);
    }

    walls(): WallsPanel {
        return this.#walls;
    }
}
