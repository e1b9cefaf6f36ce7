/** Dialogs in which something is found: a symbol by typing, a moment by its date, a key by what it does. Their code is loaded when one is opened. */
import type { Zone } from '../model/format.ts';
import type { DateDialog } from '../ui/date-dialog.ts';
import type { SymbolSearch } from '../ui/symbol-search.ts';
import type { SymbolInfo } from '../wire/answers.ts';

export interface DialogEvents {
    /** A moment was chosen: to be looked at, or for a replay from there. */
    time(time: number, isReplay: boolean): void;
    /** The code could not be loaded; the next attempt tries again. */
    failed(): void;
}

export class Dialogs {
    readonly #events: DialogEvents;
    #search: SymbolSearch | null = null;
    #date: DateDialog | null = null;

    constructor(events: DialogEvents) {
        this.#events = events;
    }

    /** Lets somebody choose one of these symbols. */
    findSymbol(symbols: readonly SymbolInfo[], pick: (symbol: string) => void): void {
        void this.#open(async () => {
            const { SymbolSearch } = await import('../ui/symbol-search.ts');
            this.#search ??= new SymbolSearch();
            this.#search.open(symbols, pick);
        });
    }

    /** `at`: what it begins with; the data reaches from `first` to `last`. */
    findTime(zone: Zone, at: number, { first, last }: { first: number; last: number }): void {
        void this.#open(async () => {
            const { DateDialog } = await import('../ui/date-dialog.ts');
            this.#date ??= new DateDialog((time, isReplay) => this.#events.time(time, isReplay));
            this.#date.open(zone, at, first, last);
        });
    }

    /** What each key does. */
    help(): void {
        void this.#open(async () => (await import('../ui/key-help.ts')).showKeys());
    }

    async #open(show: () => Promise<void>): Promise<void> {
        try {
            await show();
        } catch {
            this.#events.failed();
        }
    }
}
