/** A table of walls: where levels of liquidations pile up, how much, how far, and for how long. */
import { type Draft, draftOf, draftOfWall } from '../model/alert-draft.ts';
import { compactUsd, formatAge, formatPrice, signedPercent } from '../model/format.ts';
import { type WallRow, wallRows, wallsText } from '../model/wall-rows.ts';
import { bellButton, element } from '../ui/dom.ts';
import type { PanelActions, PanelPart, PanelState } from './side-panel.ts';

const REACHES = [0.02, 0.05, 0.1, 0.2] as const;
const ROWS_MAX = 40;
/** The table changes under a reader's eyes no more often than this, unless something else is asked for. */
const REFRESH_MS = 1_000;

const COLUMNS = ['side', 'range', 'usd', 'distance', 'age'] as const;
type Column = (typeof COLUMNS)[number];

const TITLES: Record<Column, string> = { side: 'Side', range: 'Range', usd: 'USD', distance: 'Distance', age: 'Age' };

/** Larger is first; text by its order. */
function sorted(rows: readonly WallRow[], by: Column): WallRow[] {
    const key: Record<Column, (row: WallRow) => number> = {
        side: (row) => (row.side === 'short' ? 1 : 0),
        range: (row) => row.peak,
        usd: (row) => row.usd,
        distance: (row) => -Math.abs(row.distance),
        age: (row) => row.ageMs ?? -1,
    };
    return [...rows].sort((a, b) => key[by](b) - key[by](a) || b.usd - a.usd);
}

export class WallsPanel implements PanelPart {
    readonly #host: HTMLElement;
    readonly #actions: PanelActions;
    #by: Column = 'usd';
    #reach: number = 0.1;
    #rows: WallRow[] = [];
    #last: PanelState | null = null;
    #shownAt = 0;
    #key = '';
    #later: ReturnType<typeof setTimeout> | undefined;

    constructor(host: HTMLElement, actions: PanelActions) {
        this.#host = host;
        this.#actions = actions;
    }

    show(state: PanelState): void {
        this.#last = state;
        const key = `${state.symbol} ${state.state?.price == null}`;
        const since = Date.now() - this.#shownAt;
        if (key === this.#key && since < REFRESH_MS) {
            // What was skipped is shown then, also when nothing else comes.
            this.#later ??= setTimeout(() => this.#again(), REFRESH_MS - since);
            return;
        }
        this.#key = key;
        this.#render(state);
    }

    #again(): void {
        if (this.#last?.panel === 'walls') this.#render(this.#last);
    }

    #render({ state, heat, decimals, symbol, market }: PanelState): void {
        clearTimeout(this.#later);
        this.#later = undefined;
        this.#shownAt = Date.now();
        this.#rows = state === null ? [] : sorted(wallRows(state, heat, this.#reach), this.#by);
        const focused = document.activeElement instanceof HTMLElement ? (document.activeElement.dataset.key ?? null) : null;
        const [above, below] = (['short', 'long'] as const).map((side) =>
            this.#rows.filter((row) => row.side === side).reduce((sum, row) => sum + row.usd, 0),
        ) as [number, number];
        const balance =
            above + below === 0 ? '' : `${Math.round((above / (above + below)) * 100)} : ${Math.round((below / (above + below)) * 100)}`;
        const alerts = element('th', { scope: 'col' }, element('span', { className: 'visually-hidden', textContent: 'Alert' }));
        const head = element('tr', {}, ...COLUMNS.map((column) => this.#heading(column)), alerts);
        const table = element(
            'table',
            { className: 'walls' },
            element('thead', {}, head),
            element(
                'tbody',
                {},
                ...this.#rows
                    .slice(0, ROWS_MAX)
                    .map((row) =>
                        this.#row(
                            row,
                            symbol === market ? draftOfWall(symbol, row) : draftOf('price', market, { price: row.peak }),
                            decimals,
                        ),
                    ),
            ),
        );
        const empty =
            this.#rows.length === 0 ? [element('p', { className: 'hint', textContent: 'No levels stand out this near the price.' })] : [];
        const sum = element('p', {
            className: 'hint',
            textContent: balance === '' ? '' : `Above : below ${balance} · $${compactUsd(above)} : $${compactUsd(below)}`,
        });
        this.#host.replaceChildren(this.#tools(symbol), sum, ...empty, element('div', { className: 'scroll', tabIndex: 0 }, table));
        if (focused !== null) this.#host.querySelector<HTMLElement>(`[data-key="${focused}"]`)?.focus();
    }

    #tools(symbol: string): HTMLElement {
        const select = element(
            'select',
            {},
            ...REACHES.map((reach) => element('option', { value: String(reach), textContent: `within ±${reach * 100} %` })),
        );
        select.setAttribute('aria-label', 'Distance from the price');
        select.dataset.key = 'reach';
        select.value = String(this.#reach);
        select.addEventListener('change', () => {
            this.#reach = Number(select.value);
            this.#again();
        });
        const copy = element('button', { type: 'button', className: 'small', textContent: 'Copy', title: 'Copy the table' });
        copy.dataset.key = 'copy';
        copy.addEventListener('click', () => {
            navigator.clipboard.writeText(wallsText(this.#rows)).then(
                () => {
                    copy.textContent = 'Copied';
                },
                () => {
                    copy.textContent = 'Not allowed';
                },
            );
        });
        return element('div', { className: 'panel-head' }, element('h2', { textContent: `Walls ${symbol}` }), select, copy);
    }

    #heading(column: Column): HTMLElement {
        const button = element('button', { type: 'button', textContent: TITLES[column] });
        button.dataset.key = `by-${column}`;
        button.addEventListener('click', () => {
            this.#by = column;
            this.#again();
        });
        const cell = element('th', { scope: 'col' }, button);
        if (column === this.#by) cell.setAttribute('aria-sort', 'descending');
        return cell;
    }

    #row(row: WallRow, draft: Draft, decimals: number): HTMLElement {
        const range = `${formatPrice(row.low, decimals)} – ${formatPrice(row.high, decimals)}`;
        const go = element('button', { type: 'button', textContent: range, title: 'Show in the chart' });
        go.dataset.key = `go-${row.side}-${row.low}`;
        go.addEventListener('click', () =>
            this.#actions.goTo(row.peak, `${row.side === 'long' ? 'Longs' : 'Shorts'} $${compactUsd(row.usd)}`),
        );
        const age = row.ageMs === null ? '–' : `${row.older ? '> ' : ''}${formatAge(row.ageMs)}`;
        return element(
            'tr',
            { className: row.side },
            element('td', { textContent: row.side === 'long' ? 'Long' : 'Short' }),
            element('td', {}, go),
            element('td', { textContent: compactUsd(row.usd) }),
            element('td', { textContent: signedPercent(row.distance) }),
            element('td', { textContent: age }),
            element('td', {}, this.#bell(row, draft, range)),
        );
    }
    #bell(row: WallRow, draft: Draft, range: string): HTMLButtonElement {
        const bell = bellButton(`Alert near ${range}`);
        bell.dataset.key = `bell-${row.side}-${row.low}`;
        bell.addEventListener('click', () => this.#actions.setAlert(draft));
        return bell;
    }
}
