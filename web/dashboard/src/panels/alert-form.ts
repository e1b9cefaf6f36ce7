/** The form that sets an alert: only the fields that its kind uses. */
import { type Draft, type DraftKind, draftOf, fieldsFor, usdOf } from '../model/alert-draft.ts';
import { KIND_NAMES } from '../model/alert-words.ts';
import { priceDecimals, tersestUsd } from '../model/format.ts';
import { element } from '../ui/dom.ts';
import { RULE_KINDS } from '../wire/alerts.ts';

const KINDS: readonly (readonly [DraftKind, string])[] = [
    ['price', 'Price reached'],
    ...RULE_KINDS.map((kind) => [kind, KIND_NAMES[kind]] as const),
];
const SIDES = [
    ['both', 'longs and shorts'],
    ['long', 'longs only'],
    ['short', 'shorts only'],
] as const;

function choice<T extends string>(name: string, items: readonly (readonly [T, string])[]): HTMLSelectElement {
    const select = element('select', {}, ...items.map(([value, textContent]) => element('option', { value, textContent })));
    select.setAttribute('aria-label', name);
    return select;
}

function labelled(name: string, input: HTMLElement): HTMLLabelElement {
    return element('label', { className: 'line' }, element('span', { textContent: name }), input);
}

function number(input: HTMLInputElement): number | null {
    const value = Number(input.value.replaceAll(',', ''));
    return input.value.trim() !== '' && Number.isFinite(value) && value > 0 ? value : null;
}

export class AlertForm {
    readonly element = element('form', { className: 'alert-form', hidden: true, noValidate: true });
    readonly #kind = choice('Kind of alert', KINDS);
    readonly #scope = choice('Symbols', [
        ['one', ''],
        ['all', 'every symbol'],
    ]);
    readonly #price = element('input', { type: 'text', inputMode: 'decimal', autocomplete: 'off' });
    readonly #least = element('input', { type: 'text', autocomplete: 'off' });
    readonly #within = element('input', { type: 'text', inputMode: 'decimal', autocomplete: 'off' });
    readonly #seconds = element('input', { type: 'text', inputMode: 'numeric', autocomplete: 'off' });
    readonly #side = choice('Side', SIDES);
    readonly #wrong = element('p', { className: 'hint bad' });
    readonly #lines = {
        price: labelled('Price', this.#price),
        minUsd: labelled('At least, USD', this.#least),
        within: labelled('Within, %', this.#within),
        seconds: labelled('Seconds', this.#seconds),
        side: labelled('Side', this.#side),
    };
    #symbol = '';

    constructor(set: (draft: Draft) => void) {
        this.#wrong.setAttribute('role', 'alert');
        const close = element('button', { type: 'button', className: 'small', textContent: 'Cancel' });
        close.addEventListener('click', () => this.close());
        this.element.setAttribute('aria-label', 'New alert');
        this.element.append(
            labelled('When', this.#kind),
            labelled('Symbols', this.#scope),
            ...Object.values(this.#lines),
            this.#wrong,
            element(
                'div',
                { className: 'choices-row' },
                element('button', { type: 'submit', className: 'small main', textContent: 'Set alert' }),
                close,
            ),
        );
        this.#kind.addEventListener('change', () => {
            const kind = this.#kindOf();
            const { within, seconds } = draftOf(kind, this.#symbol);
            this.#within.value = String(within);
            this.#seconds.value = String(seconds);
            this.#fit(kind);
        });
        this.element.addEventListener('submit', (event) => {
            event.preventDefault();
            const draft = this.#read();
            if (typeof draft === 'string') {
                this.#wrong.textContent = draft;
                return;
            }
            this.close();
            set(draft);
        });
    }

    open(draft: Draft): void {
        this.#symbol = draft.symbol === '' ? this.#symbol : draft.symbol;
        const [one] = this.#scope.options;
        if (one !== undefined) one.textContent = this.#symbol;
        this.#kind.value = draft.kind;
        this.#scope.value = draft.symbol === '' ? 'all' : 'one';
        // Prices of clicks have more digits than anybody means.
        this.#price.value = draft.price > 0 ? String(Number(draft.price.toFixed(priceDecimals(draft.price)))) : '';
        this.#least.value = tersestUsd(draft.minUsd);
        this.#within.value = String(draft.within);
        this.#seconds.value = String(draft.seconds);
        this.#side.value = draft.side;
        this.#wrong.textContent = '';
        this.#fit(draft.kind);
        this.element.hidden = false;
        this.#kind.focus();
    }

    close(): void {
        this.element.hidden = true;
    }

    #kindOf(): DraftKind {
        return KINDS.find(([kind]) => kind === this.#kind.value)?.[0] ?? 'price';
    }

    #fit(kind: DraftKind): void {
        const uses = fieldsFor(kind);
        for (const [name, line] of Object.entries(this.#lines)) line.hidden = !(uses as ReadonlySet<string>).has(name);
        // The page watches one price of one market.
        const isPrice = kind === 'price';
        if (isPrice) this.#scope.value = 'one';
        this.#scope.disabled = isPrice;
    }

    /** What is wrong, in words, where something is. */
    #read(): Draft | string {
        const kind = this.#kindOf();
        const uses = fieldsFor(kind);
        const draft = draftOf(kind, this.#scope.value === 'all' ? '' : this.#symbol);
        const price = number(this.#price);
        const minUsd = usdOf(this.#least.value);
        const within = number(this.#within);
        const seconds = number(this.#seconds);
        if (uses.has('price') && price === null) return 'The price must be a number above 0.';
        if (uses.has('minUsd') && minUsd === null) return 'The least amount must be dollars, such as 25M or 500K.';
        if (uses.has('within') && (within === null || within > 100)) return 'The distance must be per cent, above 0 and at most 100.';
        if (uses.has('seconds') && (seconds === null || !Number.isInteger(seconds))) return 'Seconds must be a whole number above 0.';
        return {
            ...draft,
            price: price ?? 0,
            minUsd: minUsd ?? draft.minUsd,
            within: within ?? draft.within,
            seconds: seconds ?? draft.seconds,
            side: SIDES.find(([side]) => side === this.#side.value)?.[0] ?? 'both',
        };
    }
}
