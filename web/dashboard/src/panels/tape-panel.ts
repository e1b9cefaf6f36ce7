/** Realised liquidations: totals of the last hours by side and venue, and the newest ones above an amount. */
import { Fetched } from '../data/fetched.ts';
import { draftOf } from '../model/alert-draft.ts';
import { compactUsd, formatPrice, formatTime } from '../model/format.ts';
import { tapeOf, totalsOf, totalsWith } from '../model/tape.ts';
import type { Api } from '../transport/api.ts';
import { bellButton, element } from '../ui/dom.ts';
import { Redrawn } from '../ui/redrawn.ts';
import type { Liquidation, Totals } from '../wire/answers.ts';
import type { PanelActions, PanelPart, PanelState } from './side-panel.ts';

const ROWS_MAX = 100;
const ASKED_MAX = 2_000;
/** What an alert proposes where the list shows any size. */
const ALERT_USD = 100_000;
const DAY_MS = 86_400_000;
const LEAST_USD = [0, 1_000, 10_000, 100_000, 1_000_000] as const;
/** Liquidations that the socket does not bring are fetched after a state, and no more often than this. */
const REFRESH_MS = 5_000;
/** Where it does: what becomes older than the hours of a total leaves it only with the next answer. */
const EXPIRE_MS = 60_000;
/** Totals of the past are sums of intervals this long. */
const SUM_INTERVAL = '5m';

interface Tape {
    /** Up to when, market time. */
    to: number;
    list: readonly Liquidation[];
    totals: readonly Totals[];
}

export class TapePanel implements PanelPart {
    readonly #api: Api;
    readonly #actions: PanelActions;
    readonly #fetched: Fetched<Tape>;
    readonly #title = element('h2');
    readonly #least: HTMLSelectElement;
    readonly #totals = new Redrawn('totals-part');
    readonly #rows = new Redrawn('scroll');
    #last: PanelState | null = null;
    /** The newest moment that was asked for. */
    #askedFor = 0;

    constructor(host: HTMLElement, api: Api, actions: PanelActions) {
        this.#api = api;
        this.#actions = actions;
        this.#fetched = new Fetched(
            (_, signal) => this.#ask(signal),
            () => this.#again(),
        );
        const sizes = LEAST_USD.map(
            (usd) => [String(usd), usd === 0 ? 'any size' : `from $${compactUsd(usd).replace('.00', '')}`] as const,
        );
        this.#least = element('select', {}, ...sizes.map(([value, textContent]) => element('option', { value, textContent })));
        this.#least.setAttribute('aria-label', 'Least size');
        this.#least.addEventListener('change', () => this.#again());
        const bell = bellButton('Alert on liquidations of this size');
        bell.addEventListener('click', () => {
            const minUsd = Number(this.#least.value) || ALERT_USD;
            actions.setAlert(draftOf('liquidation', this.#last?.market ?? '', { minUsd }));
        });
        this.#rows.element.tabIndex = 0;
        host.replaceChildren(
            element('div', { className: 'panel-head' }, this.#title, this.#least, bell),
            this.#totals.element,
            this.#rows.element,
        );
    }

    show(state: PanelState): void {
        this.#last = state;
        const { market: symbol, zone, isPast } = state;
        this.#title.textContent = `Liquidations ${symbol}`;
        const asOf = state.state?.asOf ?? null;
        // Another symbol, or another moment of the past, is asked for at once; of now, what is newer than the last answer.
        const key = isPast ? `${symbol} ${asOf}` : symbol;
        const gap = state.recent === null ? REFRESH_MS : EXPIRE_MS;
        if (asOf !== null) this.#fetched.want(key, asOf === this.#askedFor ? Infinity : gap);
        const tape = this.#fetched.value();
        const failure = this.#fetched.failure();
        const to = tape?.to ?? 0;
        const since = isPast ? [] : (state.recent ?? []).filter(({ time }) => time > to);
        const version = [key, tape === null, to, since.length, since.at(-1)?.time];
        this.#totals.show(JSON.stringify(version), () => (tape === null ? [] : totalsRows(totalsWith(tape.totals, since))));
        this.#rows.show(JSON.stringify([...version, failure, this.#least.value, zone]), () =>
            this.#tapeRows(tape === null ? null : [...tape.list, ...since], failure, state),
        );
    }

    #again(): void {
        if (this.#last?.panel === 'tape') this.show(this.#last);
    }

    async #ask(signal: AbortSignal): Promise<Tape> {
        const { market: symbol = '', isPast = false, state = null } = this.#last ?? {};
        const asOf = state?.asOf ?? 0;
        this.#askedFor = asOf;
        const query = { symbol, start_time: new Date(asOf - DAY_MS).toISOString(), end_time: new Date(asOf + 1).toISOString() };
        const [list, totals] = await Promise.all([
            this.#api.liquidations({ ...query, limit: ASKED_MAX }, signal),
            isPast
                ? this.#api
                      .liquidations({ ...query, limit: 10_000, interval: SUM_INTERVAL }, signal)
                      .then((sums) => totalsOf(sums, asOf + 1))
                : this.#api.summary({ symbol }, signal),
        ]);
        return { to: asOf, list, totals };
    }

    #tapeRows(list: readonly Liquidation[] | null, failure: string, { decimals, zone }: PanelState): Node[] {
        const hint = (textContent: string): HTMLElement[] => [element('p', { className: 'hint', textContent })];
        if (failure !== '') return hint(failure);
        if (list === null) return hint('Loading');
        const listed = tapeOf(list, Number(this.#least.value), ROWS_MAX);
        if (listed.length === 0) return hint('None of this size in the last 24 hours.');
        const rows = listed.map(({ time, venue, side, price, usd }) => {
            const go = element('button', { type: 'button', textContent: formatPrice(price, decimals), title: 'Show in the chart' });
            const says = side === 'long' ? 'Long' : 'Short';
            go.addEventListener('click', () => this.#actions.goTo(price, `${says} liquidated $${compactUsd(usd)}`));
            return element(
                'tr',
                { className: side },
                element('td', { textContent: formatTime(time, zone), title: venue }),
                element('td', { textContent: says }),
                element('td', {}, go),
                element('td', { textContent: `$${compactUsd(usd)}` }),
            );
        });
        return [element('table', { className: 'tape' }, element('tbody', {}, ...rows))];
    }
}

function totalsRow(name: string, { longUsd, shortUsd }: { longUsd: number; shortUsd: number }): HTMLElement {
    return element(
        'tr',
        {},
        element('th', { scope: 'row', textContent: name }),
        element('td', { className: 'long', textContent: `$${compactUsd(longUsd)}` }),
        element('td', { className: 'short', textContent: `$${compactUsd(shortUsd)}` }),
    );
}

function totalsTable(first: string, rows: readonly HTMLElement[]): HTMLElement {
    const head = element('tr', {}, ...[first, 'Longs', 'Shorts'].map((title) => element('th', { scope: 'col', textContent: title })));
    return element('table', { className: 'totals' }, element('thead', {}, head), element('tbody', {}, ...rows));
}

function totalsRows(totals: readonly Totals[]): Node[] {
    const all = totalsTable(
        'Last',
        totals.map((each) => totalsRow(`${each.hours} h`, each)),
    );
    if ((totals[0]?.venues.length ?? 0) < 2) return [all];
    const byVenue = totals.flatMap(({ hours, venues }) => venues.map((each) => totalsRow(`${hours} h ${each.venue}`, each)));
    return [all, element('details', {}, element('summary', { textContent: 'By venue' }), totalsTable('Venue', byVenue))];
}
