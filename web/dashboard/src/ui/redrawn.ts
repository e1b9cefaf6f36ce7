/** A part of the page that is drawn again only when it says something else, so that a button under a finger stays. */
import { element } from './dom.ts';

export class Redrawn {
    readonly element: HTMLElement;
    #key: string | null = null;

    constructor(className = '') {
        this.element = element('div', { className });
    }

    /** `key`: everything that the rows are made from. What has the focus keeps it, by its `data-key`. */
    show(key: string, rows: () => readonly Node[]): void {
        if (key === this.#key) return;
        this.#key = key;
        const { activeElement } = document;
        const focused =
            activeElement instanceof HTMLElement && this.element.contains(activeElement) ? activeElement.dataset.key : undefined;
        this.element.replaceChildren(...rows());
        if (focused !== undefined) this.element.querySelector<HTMLElement>(`[data-key="${CSS.escape(focused)}"]`)?.focus();
    }
}
