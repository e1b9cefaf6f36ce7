/** Which theme the system prefers, now and whenever that changes. */
import type { Theme } from '../state/view.ts';

export class SystemTheme {
    readonly #light = window.matchMedia('(prefers-color-scheme: light)');

    constructor(changed: () => void) {
        this.#light.addEventListener('change', changed);
    }

    get(): Theme {
        return this.#light.matches ? 'light' : 'dark';
    }
}
