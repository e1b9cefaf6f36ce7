/** Which theme the system prefers, now and whenever that changes. */
import type { Theme } from '../state/view.ts';

export class SystemTheme {
    readonly #light = window.matchMedia('(prefers-color-scheme: light)');
    readonly #changed: () => void;
    #known = this.get();

    constructor(changed: () => void) {
        this.#changed = changed;
        this.#light.addEventListener('change', () => this.check());
    }

    get(): Theme {
        return this.#light.matches ? 'light' : 'dark';
    }

    /** Called now and then as well: on a busy machine Chromium was seen to change the answer without the event. */
    check(): void {
        const theme = this.get();
        if (theme === this.#known) return;
        this.#known = theme;
        this.#changed();
    }
}
