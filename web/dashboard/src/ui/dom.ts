/** The few things this page needs from the DOM. Text goes in as text, never as markup. */

/** # Throws when the page has no such element: the HTML and the code have come apart. */
export function byId<T extends HTMLElement>(id: string, kind: new () => T): T {
    const found = document.getElementById(id);
    if (!(found instanceof kind)) throw new Error(`the page has no ${kind.name} #${id}`);
    return found;
}

export function element<Tag extends keyof HTMLElementTagNameMap>(
    tag: Tag,
    properties: Partial<HTMLElementTagNameMap[Tag]> = {},
    ...children: (Node | string)[]
): HTMLElementTagNameMap[Tag] {
    const made = document.createElement(tag);
    Object.assign(made, properties);
    made.append(...children);
    return made;
}

/** A row of buttons of which one is pressed. */
export class Segments {
    readonly #buttons = new Map<string, HTMLButtonElement>();

    constructor(host: HTMLElement, items: readonly (readonly [id: string, label: string, title: string])[], pick: (id: string) => void) {
        for (const [id, label, title] of items) {
            const button = element('button', { type: 'button', title, textContent: label });
            button.addEventListener('click', () => pick(id));
            this.#buttons.set(id, button);
            host.append(button);
        }
    }

    press(id: string): void {
        for (const [each, button] of this.#buttons) button.setAttribute('aria-pressed', String(each === id));
    }

    /** Leaves only these to choose from. */
    offer(ids: ReadonlySet<string>, whyNot: string): void {
        for (const [id, button] of this.#buttons) {
            button.disabled = !ids.has(id);
            button.title = button.disabled ? whyNot : '';
        }
    }
}
