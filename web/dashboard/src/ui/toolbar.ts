/** The row of settings: buttons and lists that show the view and dispatch what is chosen. */
import { ZONES } from '../model/format.ts';
import { RANGES } from '../model/ranges.ts';
import { type Action, AXES, COLOURS, PANES, type Panel, SCALES, SIDES, type View } from '../state/view.ts';
import { byId, element, Segments } from './dom.ts';

const SIDE_LABELS: Record<View['side'], string> = { both: 'Both', long: 'Long', short: 'Short', split: 'Split' };
const SCALE_LABELS: Record<View['scale'], string> = { log: 'Log', linear: 'Linear', percentile: 'Rank' };
const SCALE_TITLES: Record<View['scale'], string> = {
    log: 'Logarithmic: two decades below the maximum',
    linear: 'Linear in dollars',
    percentile: 'By rank among all cells',
};
const AXIS_LABELS: Record<View['axis'], string> = { linear: 'Axis: linear', log: 'Axis: log', percent: 'Axis: %' };
const PANEL_BUTTONS: readonly Panel[] = ['walls', 'tape'];

function options<T extends string>(select: HTMLSelectElement, items: readonly (readonly [value: T, label: string])[]): void {
    select.append(...items.map(([value, label]) => element('option', { value, textContent: label })));
}

function chosen<T extends string>(list: readonly T[], value: string): T {
    return list.find((each) => each === value) ?? (list[0] as T);
}

export class Toolbar {
    readonly #symbol = byId('symbol', HTMLSelectElement);
    readonly #colours = byId('colours', HTMLSelectElement);
    readonly #opened = byId('opened', HTMLSelectElement);
    readonly #axis = byId('axis', HTMLSelectElement);
    readonly #zone = byId('zone', HTMLSelectElement);
    readonly #ranges: Segments;
    readonly #panes: Segments;
    readonly #sides: Segments;
    readonly #scales: Segments;

    constructor(dispatch: (action: Action) => void, pickRange: (range: string) => void, pickSymbol: (symbol: string) => void) {
        this.#ranges = new Segments(
            byId('ranges', HTMLElement),
            RANGES.map(({ id }) => [id, id, '']),
            pickRange,
        );
        this.#panes = new Segments(
            byId('panes', HTMLElement),
            [
                ['heatmap', 'Heatmap', 'Levels over time'],
                ['map', 'Map', 'Levels by leverage now'],
            ],
            (pane) => dispatch({ kind: 'set', part: { pane: chosen(PANES, pane) } }),
        );
        this.#sides = new Segments(
            byId('sides', HTMLElement),
            SIDES.map((side) => [side, SIDE_LABELS[side], '']),
            (side) => dispatch({ kind: 'set', part: { side: chosen(SIDES, side) } }),
        );
        this.#scales = new Segments(
            byId('scales', HTMLElement),
            SCALES.map((scale) => [scale, SCALE_LABELS[scale], SCALE_TITLES[scale]]),
            (scale) => dispatch({ kind: 'set', part: { scale: chosen(SCALES, scale) } }),
        );
        options(
            this.#colours,
            COLOURS.map((name) => [name, `${name[0]?.toUpperCase()}${name.slice(1)}`]),
        );
        options(this.#opened, [['', 'Opened any time'], ...RANGES.map(({ id }) => [id, `Opened in ${id}`] as const)]);
        options(
            this.#axis,
            AXES.map((axis) => [axis, AXIS_LABELS[axis]]),
        );
        options(this.#zone, [
            ['utc', 'UTC'],
            ['local', 'Local time'],
        ]);
        const listen = (select: HTMLSelectElement, part: (value: string) => Parameters<typeof set>[0]): void => {
            select.addEventListener('change', () => set(part(select.value)));
        };
        const set = (part: Extract<Action, { kind: 'set' }>['part']): void => dispatch({ kind: 'set', part });
        listen(this.#colours, (value) => ({ colours: chosen(COLOURS, value) }));
        listen(this.#opened, (value) => ({ opened: value }));
        listen(this.#axis, (value) => ({ axis: chosen(AXES, value) }));
        listen(this.#zone, (value) => ({ zone: chosen(ZONES, value) }));
        this.#symbol.addEventListener('change', () => pickSymbol(this.#symbol.value));
        for (const what of ['events', 'swept'] as const) {
            byId(what, HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'toggle', what }));
        }
        byId('theme', HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'next', what: 'theme' }));
        for (const panel of PANEL_BUTTONS) {
            byId(panel, HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'panel', panel }));
        }
    }

    /** `range`: the one on the screen, which is shorter than the chosen one while the data is. */
    show(view: View, range: string): void {
        const page = document.documentElement.dataset;
        page.theme = view.theme;
        page.pane = view.pane;
        page.embedded = String(view.embedded);
        page.panel = view.panel;
        this.#panes.press(view.pane);
        this.#ranges.press(range);
        this.#sides.press(view.side);
        this.#scales.press(view.scale);
        this.#opened.value = view.opened;
        byId('opened-field', HTMLElement).hidden = view.pane !== 'map';
        this.#colours.value = view.colours;
        this.#colours.disabled = view.side === 'split';
        this.#axis.value = view.axis;
        this.#zone.value = view.zone;
        for (const what of ['events', 'swept'] as const) {
            byId(what, HTMLButtonElement).setAttribute('aria-pressed', String(view[what]));
        }
        for (const panel of PANEL_BUTTONS) {
            byId(panel, HTMLButtonElement).setAttribute('aria-pressed', String(view.panel === panel));
        }
    }

    symbols(names: readonly string[], symbol: string): void {
        const shown = [...this.#symbol.options].map((option) => option.value);
        if (names.join() !== shown.join()) {
            this.#symbol.replaceChildren(...names.map((name) => element('option', { value: name, textContent: name })));
        }
        this.#symbol.value = symbol;
    }

    offer(ranges: ReadonlySet<string>): void {
        this.#ranges.offer(ranges, 'No data that far back');
    }
}
