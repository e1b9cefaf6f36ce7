/** Realised liquidations: totals of the last hours, and the newest ones above an amount. */
import { draftOf } from '../model/alert-draft.ts';
import { compactUsd, formatPrice, formatTime } from '../model/format.ts';
import { tapeOf, totalsOf } from '../model/tape.ts';
import { type Api, ApiError } from '../transport/api.ts';
import { bellButton, element } from '../ui/dom.ts';
import type { Liquidation } from '../wire/answers.ts';
import type { PanelActions, PanelPart, PanelState } from './side-panel.ts';

const ROWS_MAX = 100;
const ASKED_MAX = 2_000;
/** What an alert proposes where the list shows any size. */
const ALERT_USD = 100_000;
const DAY_MS = 86_400_000;
const LEAST_USD = [0, 1_000, 10_000, 100_000, 1_000_000] as const;
/** Liquidations are fetched after a state, and no more often than this. */
const REFRESH_MS = 5_000;
/** The sums of a day are of intervals this long. */
const SUM_INTERVAL = '5m';

export class TapePanel implements PanelPart {
    readonly #host: HTMLElement;
    readonly #api: Api;
    readonly #actions: PanelActions;
    #symbol = '';
    #list: readonly Liquidation[] = [];
    #sums: readonly Liquidation[] = [];
    #least = 0;
    #askedAt = 0;
    #askedFor = 0;
    #loaded: number | null = null;
    #failed = '';
    #abort = new AbortController();
    #last: PanelState | null = null;
    #key = '';

    constructor(host: HTMLElement, api: Api, actions: PanelActions) {
        this.#host = host;
        this.#api = api;
        this.#actions = actions;
    }

    show(state: PanelState): void {
        this.#last = state;
        const asOf = state.state?.asOf ?? null;
        if (state.symbol !== this.#symbol) {
            this.#symbol = state.symbol;
            this.#abort.abort();
            this.#list = [];
            this.#sums = [];
            this.#loaded = null;
            this.#askedAt = 0;
            this.#askedFor = 0;
        }
        if (asOf !== null && asOf !== this.#askedFor && Date.now() - this.#askedAt > REFRESH_MS) void this.#fetch(asOf);
        const key = `${state.symbol} ${this.#loaded} ${this.#failed} ${this.#least} ${state.zone}`;
        if (key === this.#key) return;
        this.#key = key;
        this.#render(state);
    }

    async #fetch(asOf: number): Promise<void> {
        this.#askedAt = Date.now();
        this.#askedFor = asOf;
        this.#abort.abort();
        this.#abort = new AbortController();
        const { signal } = this.#abort;
        const query = {
            symbol: this.#symbol,
            start_time: new Date(asOf - DAY_MS).toISOString(),
            end_time: new Date(asOf + 1).toISOString(),
        };
        try {
            const [list, sums] = await Promise.all([
                this.#api.liquidations({ ...query, limit: ASKED_MAX }, signal),
                this.#api.liquidations({ ...query, limit: 10_000, interval: SUM_INTERVAL }, signal),
            ]);
            if (signal.aborted) return;
            this.#list = list;
            this.#sums = sums;
            this.#loaded = asOf;
            this.#failed = '';
        } catch (error) {
            if (signal.aborted) return;
            this.#failed = error instanceof ApiError ? error.message : String(error);
        }
        if (this.#last?.panel === 'tape') this.show(this.#last);
    }

    #render({ symbol, decimals, zone }: PanelState): void {
        const select = element(
            'select',
            {},
            ...LEAST_USD.map((usd) =>
                element('option', {
                    value: String(usd),
                    textContent: usd === 0 ? 'any size' : `from $${compactUsd(usd).replace('.00', '')}`,
                }),
            ),
        );
        select.setAttribute('aria-label', 'Least size');
        select.value = String(this.#least);
        select.addEventListener('change', () => {
            this.#least = Number(select.value);
            if (this.#last !== null) this.show(this.#last);
        });
        const bell = bellButton('Alert on liquidations of this size');
        bell.addEventListener('click', () =>
            this.#actions.setAlert(draftOf('liquidation', symbol, { minUsd: this.#least === 0 ? ALERT_USD : this.#least })),
        );
        const totals = element(
            'table',
            { className: 'totals' },
            element(
                'thead',
                {},
                element('tr', {}, ...['Last', 'Longs', 'Shorts'].map((title) => element('th', { scope: 'col', textContent: title }))),
            ),
            element(
                'tbody',
                {},
                ...totalsOf(this.#sums, (this.#loaded ?? 0) + 1).map(({ hours, longUsd, shortUsd }) =>
                    element(
                        'tr',
                        {},
                        element('th', { scope: 'row', textContent: `${hours} h` }),
                        element('td', { className: 'long', textContent: `$${compactUsd(longUsd)}` }),
                        element('td', { className: 'short', textContent: `$${compactUsd(shortUsd)}` }),
                    ),
                ),
            ),
        );
        const rows = tapeOf(this.#list, this.#least, ROWS_MAX).map(({ time, side, price, usd }) => {
            const go = element('button', { type: 'button', textContent: formatPrice(price, decimals), title: 'Show in the chart' });
            go.addEventListener('click', () =>
                this.#actions.goTo(price, `${side === 'long' ? 'Long' : 'Short'} liquidated $${compactUsd(usd)}`),
            );
            return element(
                'tr',
                { className: side },
                element('td', { textContent: formatTime(time, zone) }),
                element('td', { textContent: side === 'long' ? 'Long' : 'Short' }),
                element('td', {}, go),
                element('td', { textContent: `$${compactUsd(usd)}` }),
            );
        });
        const hint =
            this.#failed !== ''
                ? this.#failed
                : this.#loaded === null
                  ? 'Loading'
                  : rows.length === 0
                    ? 'None of this size in the last 24 hours.'
                    : '';
        this.#host.replaceChildren(
            element('div', { className: 'panel-head' }, element('h2', { textContent: `Liquidations ${symbol}` }), select, bell),
            totals,
            ...(hint === '' ? [] : [element('p', { className: 'hint', textContent: hint })]),
            element('div', { className: 'scroll', tabIndex: 0 }, element('table', { className: 'tape' }, element('tbody', {}, ...rows))),
        );
    }
}
