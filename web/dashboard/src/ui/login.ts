/** A form for the token, shown when the server asks for one or the present one is about to expire. */
import { byId } from './dom.ts';

export class Login {
    readonly #dialog = byId('login', HTMLDialogElement);
    readonly #why = byId('login-why', HTMLElement);
    readonly #token = byId('login-token', HTMLInputElement);
    readonly #keep = byId('login-keep', HTMLInputElement);

    constructor(enter: (token: string, keep: boolean) => void) {
        byId('login-form', HTMLFormElement).addEventListener('submit', () => {
            const token = this.#token.value.trim().replace(/^Bearer\s+/i, '');
            this.#token.value = '';
            if (token !== '') enter(token, this.#keep.checked);
        });
    }

    open(why: string): void {
        this.#why.textContent = why;
        if (!this.#dialog.open) this.#dialog.showModal();
    }

    close(): void {
        this.#dialog.close();
    }
}
