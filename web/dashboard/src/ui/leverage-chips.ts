/** One button a leverage, for both views: switches it off and on, and is the legend of the map. */

import { leverageColour } from '../render/colours.ts';
import type { Theme } from '../state/view.ts';
import { element } from './dom.ts';

export interface ChipsShown {
    leverages: readonly number[];
    hidden: readonly number[];
    theme: Theme;
    /** Why there is nothing to choose from; null when there is. */
    whyNot: string | null;
}

export class LeverageChips {
    readonly #host: HTMLElement;
    readonly #change: (hidden: readonly number[]) => void;
    #shown: ChipsShown = { leverages: [], hidden: [], theme: 'dark', whyNot: null };
    #key = '';

    constructor(host: HTMLElement, change: (hidden: readonly number[]) => void) {
        this.#host = host;
        this.#change = change;
    }

    show(shown: ChipsShown): void {
        const { leverages, hidden, theme, whyNot } = shown;
        this.#shown = shown;
        const key = `${leverages.join()} ${hidden.join()} ${theme} ${whyNot}`;
        if (key === this.#key) return;
        this.#key = key;
        this.#host.hidden = leverages.length === 0;
        const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset.leverage : undefined;
        this.#host.replaceChildren(
            ...leverages.map((leverage) => {
                const swatch = element('i', { className: 'swatch' });
                swatch.style.background = leverageColour(theme, leverage);
                const title = whyNot ?? 'Show or hide; with Shift: only this one, or all again';
                const button = element('button', { type: 'button', title, disabled: whyNot !== null }, swatch, `${leverage}x`);
                button.dataset.leverage = String(leverage);
                button.setAttribute('aria-pressed', String(!hidden.includes(leverage)));
                button.addEventListener('click', (event) => this.#click(leverage, event.shiftKey));
                return button;
            }),
        );
        if (focused !== undefined) this.#host.querySelector<HTMLElement>(`[data-leverage="${focused}"]`)?.focus();
    }

    #click(leverage: number, alone: boolean): void {
        const { leverages, hidden } = this.#shown;
        if (alone) {
            const others = leverages.filter((each) => each !== leverage);
            this.#change(others.join() === hidden.join() ? [] : others);
        } else if (hidden.includes(leverage)) this.#change(hidden.filter((each) => each !== leverage));
        else this.#change([...hidden, leverage].sort((a, b) => a - b));
    }
}
