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

const SVG = 'http://www.w3.org/2000/svg';
const BELL = 'M3.5 11.5h9M4.5 11.5V7a3.5 3.5 0 0 1 7 0v4.5M7 13.8h2';

/** A button with a bell; `says` is its name. */
export function bellButton(says: string): HTMLButtonElement {
    const icon = document.createElementNS(SVG, 'svg');
    for (const [name, value] of [
        ['width', '14'],
        ['height', '14'],
        ['viewBox', '0 0 16 16'],
        ['aria-hidden', 'true'],
    ] as const) {
        icon.setAttribute(name, value);
    }
    const path = document.createElementNS(SVG, 'path');
    path.setAttribute('d', BELL);
    icon.append(path);
    const button = element('button', { type: 'button', className: 'bell', title: says }, icon);
    button.setAttribute('aria-label', says);
    return button;
}

/** A row of buttons of which one is pressed. */
export class Segments {
    readonly #buttons = new Map<string, { button: HTMLButtonElement; title: string }>();

    constructor(host: HTMLElement, items: readonly (readonly [id: string, label: string, title: string])[], pick: (id: string) => void) {
        for (const [id, label, title] of items) {
            const button = element('button', { type: 'button', title, textContent: label });
            button.addEventListener('click', () => pick(id));
            this.#buttons.set(id, { button, title });
            host.append(button);
        }
    }

    press(id: string): void {
        for (const [each, { button }] of this.#buttons) button.setAttribute('aria-pressed', String(each === id));
    }

    /** Leaves only these to choose from. */
    offer(ids: ReadonlySet<string>, whyNot: string): void {
        for (const [id, { button, title }] of this.#buttons) {
            button.disabled = !ids.has(id);
            button.title = button.disabled ? whyNot : title;
        }
    }
}
