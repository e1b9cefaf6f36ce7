/** A dialog that finds a symbol by typing: for servers with more symbols than a list is read for. */
import type { SymbolInfo } from '../wire/answers.ts';
import { byId, element } from './dom.ts';

const SHOWN_MAX = 50;

/** Symbols that contain every word, those that begin with the first one first. */
export function found(list: readonly SymbolInfo[], text: string): SymbolInfo[] {
    const words = text.toUpperCase().split(/\s+/).filter(Boolean);
    const first = words[0] ?? '';
    return list
        .filter(({ symbol }) => words.every((word) => symbol.toUpperCase().includes(word)))
        .sort((a, b) => Number(b.symbol.startsWith(first)) - Number(a.symbol.startsWith(first)))
        .slice(0, SHOWN_MAX);
}

export class SymbolSearch {
    readonly #dialog = byId('search', HTMLDialogElement);
    readonly #input = element('input', { type: 'text', id: 'search-text', autocomplete: 'off', spellcheck: false });
    readonly #list = element('ul', { id: 'search-list' });
    #pick: (symbol: string) => void = () => {};
    #symbols: readonly SymbolInfo[] = [];

    constructor() {
        this.#input.setAttribute('aria-label', 'Find a symbol');
        this.#dialog.append(this.#input, this.#list);
        this.#input.addEventListener('input', () => this.#show());
        this.#dialog.addEventListener('keydown', (event) => this.#key(event));
        this.#dialog.addEventListener('click', (event) => {
            if (event.target === this.#dialog) this.#dialog.close();
        });
    }

    open(symbols: readonly SymbolInfo[], pick: (symbol: string) => void): void {
        this.#pick = pick;
        this.#symbols = symbols;
        this.#input.value = '';
        this.#show();
        this.#dialog.showModal();
        this.#input.focus();
    }

    #show(): void {
        const items = found(this.#symbols, this.#input.value).map(({ symbol, state, interval }) => {
            const button = element(
                'button',
                { type: 'button' },
                element('b', { textContent: symbol }),
                element('span', { textContent: state === null ? interval : `${interval} · ${state.replace('_', ' ')}` }),
            );
            button.addEventListener('click', () => this.#take(symbol));
            button.dataset.symbol = symbol;
            return element('li', {}, button);
        });
        this.#list.replaceChildren(
            ...(items.length === 0 ? [element('li', { className: 'hint', textContent: 'No such symbol here' })] : items),
        );
    }

    #take(symbol: string): void {
        this.#dialog.close();
        this.#pick(symbol);
    }

    #key(event: KeyboardEvent): void {
        const buttons = [...this.#list.querySelectorAll('button')];
        const at = buttons.indexOf(document.activeElement as HTMLButtonElement);
        if (event.key === 'ArrowDown') buttons[Math.min(buttons.length - 1, at + 1)]?.focus();
        else if (event.key === 'ArrowUp') (at <= 0 ? this.#input : buttons[at - 1])?.focus();
        else if (event.key === 'Enter' && document.activeElement === this.#input) {
            const symbol = buttons[0]?.dataset.symbol;
            if (symbol !== undefined) this.#take(symbol);
        } else return;
        event.preventDefault();
    }
}
