/** The row of settings: buttons and lists that show the view and dispatch what is chosen. */
import { ZONES } from '../model/format.ts';
import { INTERVALS, RANGES } from '../model/ranges.ts';
import { STUDIES, type Study } from '../model/studies.ts';
import { isLayer, symbolOf, venueLabel } from '../model/venues.ts';
import {
    type Action,
    AXES,
    COLOURS,
    INTERVAL_IDS,
    PANES,
    type Panel,
    SCALES,
    SIDES,
    THEME_CHOICES,
    type Theme,
    type View,
} from '../state/view.ts';
import { byId, element, Segments } from './dom.ts';

const SIDE_LABELS: Record<View['side'], string> = { both: 'Both', long: 'Long', short: 'Short', split: 'Split' };
const SCALE_LABELS: Record<View['scale'], string> = { log: 'Log', linear: 'Linear', percentile: 'Rank' };
const SCALE_TITLES: Record<View['scale'], string> = {
    log: 'Logarithmic: two decades below the maximum',
    linear: 'Linear in dollars',
    percentile: 'By rank among all cells',
};
const AXIS_LABELS: Record<View['axis'], string> = { linear: 'Linear', log: 'Logarithmic', percent: 'Per cent' };
const STUDY_LABELS: Record<Study, string> = {
    volume: 'Volume and its delta (CVD)',
    open_interest: 'Open interest',
    funding: 'Funding',
    liquidations: 'Liquidations',
};
/** Those of the page's header, `--panel` in the style sheet. */
const BAR_COLOURS: Record<Theme, string> = { dark: '#10151c', light: '#f6f8fa' };
const PANEL_BUTTONS: readonly Panel[] = ['watch', 'walls', 'tape', 'alerts', 'accuracy', 'measured'];

function options<T extends string>(select: HTMLSelectElement, items: readonly (readonly [value: T, label: string])[]): void {
    select.append(...items.map(([value, label]) => element('option', { value, textContent: label })));
}

function chosen<T extends string>(list: readonly T[], value: string): T {
    return list.find((each) => each === value) ?? (list[0] as T);
}

/** Opens a sheet under its button, wherever that stands. */
function openUnder(button: HTMLElement, sheet: HTMLElement): void {
    sheet.addEventListener('toggle', () => {
        const { bottom, right } = button.getBoundingClientRect();
        sheet.style.top = `${bottom + 6}px`;
        sheet.style.left = `${Math.max(8, right - sheet.offsetWidth)}px`;
    });
}

export class Toolbar {
    readonly #symbol = byId('symbol', HTMLSelectElement);
    readonly #venue = byId('venue', HTMLSelectElement);
    readonly #colours = byId('colours', HTMLSelectElement);
    readonly #opened = byId('opened', HTMLSelectElement);
    readonly #axis = byId('axis', HTMLSelectElement);
    readonly #zone = byId('zone', HTMLSelectElement);
    readonly #theme = byId('theme', HTMLSelectElement);
    readonly #interval = byId('interval', HTMLSelectElement);
    readonly #studies = new Map<Study, HTMLInputElement>();
    /** The panel that was shown last. */
    #lastPanel: Panel = 'walls';
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
        options(this.#interval, [['', 'Auto'], ...INTERVALS.map((name) => [name, name] as const)]);
        for (const study of STUDIES) {
            const box = element('input', { type: 'checkbox' });
            box.addEventListener('change', () => dispatch({ kind: 'study', study }));
            this.#studies.set(study, box);
            byId('studies', HTMLElement).append(element('label', { className: 'check' }, box, STUDY_LABELS[study]));
        }
        openUnder(byId('more', HTMLButtonElement), byId('settings', HTMLElement));
        const listen = (select: HTMLSelectElement, part: (value: string) => Parameters<typeof set>[0]): void => {
            select.addEventListener('change', () => set(part(select.value)));
        };
        const set = (part: Extract<Action, { kind: 'set' }>['part']): void => dispatch({ kind: 'set', part });
        listen(this.#colours, (value) => ({ colours: chosen(COLOURS, value) }));
        listen(this.#opened, (value) => ({ opened: value }));
        listen(this.#axis, (value) => ({ axis: chosen(AXES, value) }));
        options(this.#theme, [
            ['system', 'As the system'],
            ['dark', 'Dark'],
            ['light', 'Light'],
        ]);
        listen(this.#theme, (value) => ({ theme: chosen(THEME_CHOICES, value) }));
        listen(this.#interval, (value) => ({ interval: chosen(INTERVAL_IDS, value) }));
        listen(this.#zone, (value) => ({ zone: chosen(ZONES, value) }));
        this.#symbol.addEventListener('change', () => pickSymbol(this.#symbol.value));
        this.#venue.addEventListener('change', () => pickSymbol(symbolOf(this.#symbol.value, this.#venue.value)));
        for (const what of ['events', 'swept', 'near'] as const) {
            byId(what, HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'toggle', what }));
        }
        for (const panel of PANEL_BUTTONS) {
            byId(panel, HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'set', part: { panel } }));
        }
        byId('panel-close', HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'set', part: { panel: 'none' } }));
        byId('panels', HTMLButtonElement).addEventListener('click', () => dispatch({ kind: 'panel', panel: this.#lastPanel }));
    }

    /** `range`: the one on the screen, which is shorter than the chosen one while the data is. `theme`: the one on the screen. */
    show(view: View, range: string, theme: Theme): void {
        const page = document.documentElement.dataset;
        page.theme = theme;
        // The bar of an installed page.
        document.querySelector('meta[name="theme-color"]')?.setAttribute('content', BAR_COLOURS[theme]);
        page.pane = view.pane;
        page.embedded = String(view.embedded);
        // In a frame there is nothing to set.
        this.#symbol.disabled = view.embedded;
        this.#venue.disabled = view.embedded;
        page.panel = view.panel;
        if (view.panel !== 'none') this.#lastPanel = view.panel;
        byId('panels', HTMLButtonElement).setAttribute('aria-pressed', String(view.panel !== 'none'));
        this.#panes.press(view.pane);
        this.#panes.offer(isLayer(view.symbol) ? new Set(['heatmap']) : new Set(PANES), 'Leverages of measured positions are not known');
        this.#ranges.press(range);
        this.#sides.press(view.side);
        this.#scales.press(view.scale);
        this.#opened.value = view.opened;
        byId('opened-field', HTMLElement).hidden = view.pane !== 'map';
        this.#colours.value = view.colours;
        this.#colours.disabled = view.side === 'split';
        this.#axis.value = view.axis;
        this.#zone.value = view.zone;
        this.#theme.value = view.theme;
        this.#interval.value = view.interval;
        for (const [study, box] of this.#studies) box.checked = view.studies.includes(study);
        for (const what of ['events', 'swept', 'near'] as const) {
            byId(what, HTMLButtonElement).setAttribute('aria-pressed', String(view[what]));
        }
        for (const panel of PANEL_BUTTONS) {
            byId(panel, HTMLButtonElement).setAttribute('aria-pressed', String(view.panel === panel));
        }
    }

    /** `venues`: of the symbol, with its layers of measured positions; `venue`: the chosen one, empty for all together; `isMeasured`: there are measured positions of it. */
    symbols(names: readonly string[], symbol: string, venues: readonly string[], venue: string, isMeasured: boolean): void {
        byId('measured', HTMLButtonElement).hidden = !isMeasured;
        const shown = [...this.#symbol.options].map((option) => option.value);
        if (names.join() !== shown.join()) {
            this.#symbol.replaceChildren(...names.map((name) => element('option', { value: name, textContent: name })));
        }
        this.#symbol.value = symbol;
        const offered = [...this.#venue.options].slice(1).map((option) => option.value);
        if (venues.join() !== offered.join()) {
            this.#venue.replaceChildren();
            options(this.#venue, [['', 'all venues'], ...venues.map((each) => [each, venueLabel(each)] as const)]);
        }
        this.#venue.value = venue;
        byId('venue-field', HTMLElement).hidden = venues.length < 2;
    }

    offer(ranges: ReadonlySet<string>): void {
        this.#ranges.offer(ranges, 'No data that far back');
    }
}
