/** Positions of real accounts: how much of the market they are, where they would be liquidated, and the estimate beside them. */
import { Fetched } from '../data/fetched.ts';
import { LAYER_EVERY_MS } from '../model/coverage.ts';
import { compactUsd, formatAge, formatPrice, formatTime, signedPercent, zoneName } from '../model/format.ts';
import { barsOf, excessWords, relationWords, shortAddress, sideRows } from '../model/measured.ts';
import { estimateOf, isLayer, layerOf, partsOf } from '../model/venues.ts';
import { drawMeasuredBars } from '../render/measured-bars.ts';
import type { Api } from '../transport/api.ts';
import { element } from '../ui/dom.ts';
import { Redrawn } from '../ui/redrawn.ts';
import { type ClosestPosition, type EstimatedMap, type MeasuredLayer, parseMap, parseMeasured } from '../wire/measured.ts';
import type { PanelActions, PanelPart, PanelState } from './side-panel.ts';

/** It is no channel of the socket. */
const REFRESH_MS = 15_000;
const REACHES = [0.05, 0.15, 0.3] as const;
const ROWS_MAX = 40;

interface Answers {
    layer: MeasuredLayer;
    estimate: EstimatedMap | null;
    /** Why there is no estimate; empty when there is one. */
    estimateFailure: string;
}

function hint(textContent: string, className = 'hint'): HTMLElement {
    return element('p', { className, textContent });
}

/** What the panel asks of the page besides. */
export interface LayerActions extends PanelActions {
    open(symbol: string): void;
    /** Shows a chart beside the first one, or takes it away. */
    beside(symbol: string): void;
}

export class MeasuredPanel implements PanelPart {
    readonly #api: Api;
    readonly #actions: LayerActions;
    /** Names of the layers that the server has; null while that is not known. */
    readonly #layers: () => readonly string[] | null;
    readonly #fetched: Fetched<Answers>;
    readonly #title = element('h2');
    readonly #age = element('p', { className: 'hint' });
    readonly #overTime = element('button', { type: 'button', className: 'small' });
    readonly #sideBySide = element('button', { type: 'button', className: 'small', textContent: 'Side by side' });
    readonly #views = element('div', { className: 'choices-row' }, this.#overTime, this.#sideBySide);
    readonly #reach: HTMLSelectElement;
    readonly #body = new Redrawn('scroll');
    #last: PanelState | null = null;
    #later: ReturnType<typeof setTimeout> | undefined;

    constructor(host: HTMLElement, api: Api, actions: LayerActions, layers: () => readonly string[] | null) {
        this.#api = api;
        this.#actions = actions;
        this.#layers = layers;
        this.#fetched = new Fetched(
            (key, signal) => this.#ask(key, signal),
            () => this.#again(),
        );
        this.#reach = element(
            'select',
            {},
            ...REACHES.map((reach) => element('option', { value: String(reach), textContent: `±${reach * 100} %` })),
        );
        this.#reach.setAttribute('aria-label', 'Distance from the price');
        this.#reach.value = '0.15';
        this.#reach.addEventListener('change', () => this.#again());
        this.#overTime.addEventListener('click', () => this.#actions.open(this.#other()));
        this.#sideBySide.title = 'Shows the measured positions and the estimate as two charts, or one of them alone again';
        this.#sideBySide.addEventListener('click', () => this.#actions.beside(this.#other()));
        this.#body.element.tabIndex = 0;
        host.replaceChildren(
            element('div', { className: 'panel-head' }, this.#title, this.#reach),
            this.#age,
            this.#views,
            this.#body.element,
        );
    }

    show(state: PanelState): void {
        this.#last = state;
        clearTimeout(this.#later);
        // Also when the market stands still.
        this.#later = setTimeout(() => this.#again(), REFRESH_MS);
        const { symbol, isPast, decimals, zone } = state;
        const asOf = state.state?.asOf ?? null;
        const layers = this.#layers();
        const name = layerOf(layers ?? [], symbol);
        this.#title.textContent = `Measured ${name === null ? symbol : partsOf(name).base}`;
        this.#reach.hidden = name === null;
        this.#views.hidden = name === null;
        this.#overTime.textContent = isLayer(symbol) ? 'Estimate over time' : 'Measured over time';
        this.#age.textContent = '';
        if (name === null) {
            this.#body.show(JSON.stringify([symbol, layers]), () => [hint(layers === null ? 'Loading' : absentWords(symbol, layers))]);
            return;
        }
        // A moment that is looked back to is known with the state of then.
        if (!isPast || asOf !== null) {
            // Moments within the same interval have the same stored layer.
            const moment = isPast ? ` ${Math.floor((asOf ?? 0) / LAYER_EVERY_MS)}` : '';
            this.#fetched.want(name + moment, isPast ? Infinity : REFRESH_MS);
        }
        const answers = this.#fetched.value();
        const failure = this.#fetched.failure();
        if (answers !== null) {
            const marks = answers.layer.asOf;
            const age = isPast || asOf === null ? '' : `, ${formatAge(asOf - marks)} old`;
            this.#age.textContent = `${partsOf(estimateOf(name)).venue}, as of ${formatTime(marks, zone)} ${zoneName(marks, zone)}${age}`;
        }
        this.#body.show(JSON.stringify([name, answers, failure, this.#reach.value, decimals, isPast]), () => this.#rows(answers, failure));
    }

    /** The estimate while the layer is shown, and the layer otherwise. */
    #other(): string {
        const symbol = this.#last?.symbol ?? '';
        return isLayer(symbol) ? estimateOf(symbol) : (layerOf(this.#layers() ?? [], symbol) ?? symbol);
    }

    hide(): void {
        clearTimeout(this.#later);
        this.#last = null;
    }

    #again(): void {
        if (this.#last?.panel === 'measured') this.show(this.#last);
    }

    /** `key` begins with the name of the layer. */
    async #ask(key: string, signal: AbortSignal): Promise<Answers> {
        const [symbol = ''] = key.split(' ');
        const asOf = this.#last?.isPast === true ? (this.#last.state?.asOf ?? null) : null;
        const at = asOf === null ? {} : { at: new Date(asOf).toISOString() };
        const [layer, estimate] = await Promise.all([
            this.#api.json('v1/measured', { symbol, ...at }, signal).then(parseMeasured),
            this.#api
                .json('v1/map', { symbol: estimateOf(symbol), ...at }, signal)
                .then(parseMap)
                .catch((error: unknown) => (error instanceof Error ? error.message : String(error))),
        ]);
        return typeof estimate === 'string'
            ? { layer, estimate: null, estimateFailure: estimate }
            : { layer, estimate, estimateFailure: '' };
    }

    #rows(answers: Answers | null, failure: string): Node[] {
        if (answers === null) return [hint(failure === '' ? 'Loading' : failure)];
        const { layer } = answers;
        const stale = failure === '' ? [] : [hint(`Not refreshed: ${failure}`, 'hint warn')];
        const late = layer.late === 0 ? '' : `; ${layer.late.toLocaleString('en-US')} wait for their next look`;
        const known = hint(`${layer.addresses.toLocaleString('en-US')} accounts are known${late}.`);
        if (layer.long.accounts + layer.short.accounts === 0) {
            return [...stale, hint('No positions are measured yet: accounts are looked at one by one after a start.'), known];
        }
        const excess = excessWords(layer);
        return [
            ...stale,
            ...(excess === null ? [] : [hint(excess, 'hint warn')]),
            sidesTable(layer),
            known,
            ...this.#beside(answers),
            element('h3', { textContent: 'Closest to liquidation' }),
            this.#closest(layer.closest),
        ];
    }

    #beside({ layer, estimate, estimateFailure }: Answers): Node[] {
        const reach = Number(this.#reach.value);
        const bars = barsOf(layer, estimate, reach, ROWS_MAX);
        const missing = estimate === null ? [hint(`The estimate is not there: ${estimateFailure}`, 'hint warn')] : [];
        return [
            element('h3', { textContent: 'Measured beside the estimate' }),
            ...missing,
            drawMeasuredBars(bars, this.#last?.decimals ?? 2, `within ${reach * 100} % of the price`),
            hint(`${relationWords(layer)} Both sides have one scale.`),
        ];
    }

    #closest(closest: readonly ClosestPosition[]): HTMLElement {
        if (closest.length === 0) {
            return hint(this.#last?.isPast === true ? 'Single positions of the past are not stored.' : 'No position has a level.');
        }
        const head = ['Side', 'Price', 'USD', 'Distance', 'Seen'].map((textContent) => element('th', { scope: 'col', textContent }));
        return element(
            'table',
            { className: 'closest' },
            element('thead', {}, element('tr', {}, ...head)),
            element('tbody', {}, ...closest.map((position) => this.#position(position))),
        );
    }

    #position({ side, price, usd, distance, ageMs, address }: ClosestPosition): HTMLElement {
        const says = side === 'long' ? 'Long' : 'Short';
        const textContent = formatPrice(price, this.#last?.decimals ?? 2);
        const go = element('button', { type: 'button', textContent, title: 'Show in the chart' });
        go.dataset.key = `go-${side}-${price}-${usd}`;
        go.addEventListener('click', () => this.#actions.goTo(price, `Measured ${side} $${compactUsd(usd)}`));
        const whose = address === null ? [] : [element('div', { className: 'hint', textContent: shortAddress(address), title: address })];
        return element(
            'tr',
            { className: side },
            element('td', { textContent: says }),
            element('td', {}, go, ...whose),
            element('td', { textContent: compactUsd(usd) }),
            element('td', { textContent: signedPercent(distance) }),
            element('td', { textContent: formatAge(ageMs) }),
        );
    }
}

/** Why there is nothing to show, and what to do. */
function absentWords(symbol: string, layers: readonly string[]): string {
    if (layers.length === 0) {
        return 'This server does not measure positions. Start it with --hyperliquid-measured, and hyperliquid among its venues.';
    }
    return `Positions of ${symbol} are not measured. Measured here: ${layers.map(estimateOf).join(', ')}.`;
}

function sidesTable(layer: MeasuredLayer): HTMLElement {
    const head = ['', 'Longs', 'Shorts'].map((textContent) =>
        textContent === '' ? element('td') : element('th', { scope: 'col', textContent }),
    );
    const rows = sideRows(layer).map(([textContent, title, long, short]) =>
        element(
            'tr',
            {},
            element('th', { scope: 'row', textContent, title }),
            element('td', { textContent: long }),
            element('td', { textContent: short }),
        ),
    );
    return element('table', { className: 'totals' }, element('thead', {}, element('tr', {}, ...head)), element('tbody', {}, ...rows));
}
