/** What is looked at: one value that is replaced as a whole, and the only function that makes the next one from it. */
import { ZONES, type Zone } from '../model/format.ts';
import type { Speed } from '../model/playback.ts';
import { INTERVALS, RANGES } from '../model/ranges.ts';
import type { Study } from '../model/studies.ts';
import { isLayer } from '../model/venues.ts';

export const SIDES = ['both', 'long', 'short', 'split'] as const;
export const SCALES = ['linear', 'log', 'percentile'] as const;
export const COLOURS = ['viridis', 'magma', 'inferno', 'cividis'] as const;
/** `system`: what the system prefers, whenever that changes. */
export const THEME_CHOICES = ['system', 'dark', 'light'] as const;
export const PANES = ['heatmap', 'map'] as const;
export const PANELS = ['none', 'watch', 'walls', 'tape', 'alerts', 'accuracy', 'measured'] as const;
export const AXES = ['linear', 'log', 'percent'] as const;

export type Side = (typeof SIDES)[number];
export type Scale = (typeof SCALES)[number];
export type Colours = (typeof COLOURS)[number];
export type ThemeChoice = (typeof THEME_CHOICES)[number];
export type Theme = Exclude<ThemeChoice, 'system'>;
export type Pane = (typeof PANES)[number];
export type Panel = (typeof PANELS)[number];
export type Axis = (typeof AXES)[number];

/** A stretch of market time, milliseconds since 1970. */
export interface TimeSpan {
    readonly from: number;
    readonly to: number;
}

/** Settings that outlive a visit. */
export interface Settings {
    readonly symbol: string;
    readonly range: string;
    readonly pane: Pane;
    readonly side: Side;
    readonly scale: Scale;
    readonly colours: Colours;
    /** Share of the colour scale below which nothing is drawn, 0..0.95. */
    readonly threshold: number;
    readonly theme: ThemeChoice;
    /** Realised liquidations as circles. */
    readonly events: boolean;
    /** Marks where the price took levels. */
    readonly swept: boolean;
    /** The colour scale ends at the largest cell near the price; otherwise at the largest one. */
    readonly near: boolean;
    /** Leverages that are not shown, ascending. */
    readonly hidden: readonly number[];
    /** The map shows only positions opened within this range; empty for all. */
    readonly opened: string;
    readonly panel: Panel;
    /** Time zone of every time on the page. */
    readonly zone: Zone;
    /** Price axis of the heatmap. */
    readonly axis: Axis;
    /** Panes under the chart. */
    readonly studies: readonly Study[];
    /** Interval of the candles; empty for one that fits. */
    readonly interval: string;
    /** Symbols of further charts beside this one. */
    readonly charts: readonly string[];
    /** Of a replay, market seconds a second. */
    readonly speed: Speed;
}

export interface View extends Settings {
    /** The moment the picture is shown as of, milliseconds since 1970; null for now. */
    readonly moment: number | null;
    /** The moment moves on by itself. */
    readonly playing: boolean;
    /** What a person panned or zoomed to; null for the whole range. */
    readonly span: TimeSpan | null;
    /** Only the picture, for a frame in another page. */
    readonly embedded: boolean;
}

/** A view as it is drawn: with the theme that is on the screen. */
export interface DrawnView extends Omit<View, 'theme'> {
    readonly theme: Theme;
}

/** `system`: the theme that the system prefers. */
export function drawn(view: View, system: Theme): DrawnView {
    return { ...view, theme: view.theme === 'system' ? system : view.theme };
}

/** Charts beside the first one. */
export const LINKED_MAX = 3;

/** Symbols of the charts that are shown beside the first one; a frame in another page has none. */
export function chartsBeside({ embedded, charts }: View): readonly string[] {
    return embedded ? [] : charts.slice(0, LINKED_MAX);
}

export const THRESHOLD_MAX = 0.95;

export const DEFAULT_VIEW: View = {
    symbol: '',
    range: '3d',
    pane: 'heatmap',
    side: 'both',
    scale: 'linear',
    colours: 'viridis',
    threshold: 0,
    theme: 'system',
    events: true,
    swept: true,
    near: true,
    hidden: [],
    opened: '',
    panel: 'none',
    zone: 'utc',
    axis: 'linear',
    studies: [],
    interval: '',
    charts: [],
    speed: '900',
    moment: null,
    playing: false,
    span: null,
    embedded: false,
};

/** Settings with a fixed list of values, which a key steps through. */
const CYCLES = { scale: SCALES, colours: COLOURS, side: SIDES, pane: PANES, axis: AXES, zone: ZONES } as const;

export type Action =
    | { kind: 'set'; part: Partial<Omit<Settings, 'symbol' | 'range'>> }
    | { kind: 'next'; what: keyof typeof CYCLES }
    | { kind: 'toggle'; what: 'events' | 'swept' | 'near' }
    | { kind: 'study'; study: Study }
    /** A further chart beside this one; added when there is room, removed when it is there. */
    | { kind: 'chart'; symbol: string }
    /** Shows a panel, or hides the one that is shown. */
    | { kind: 'panel'; panel: Panel }
    /** Another symbol or range, as it is now and in full. */
    | { kind: 'open'; symbol?: string; range?: string }
    /** A moment is chosen; a replay goes on from there, and ends with null. */
    | { kind: 'look_back'; moment: number | null }
    | { kind: 'play'; moment: number }
    | { kind: 'pause' }
    /** A replay has come to this moment; null for now, where it ends. */
    | { kind: 'played'; moment: number | null }
    | { kind: 'span'; span: TimeSpan | null };

/** What is shown of a range that is opened anew. */
const NOW = { moment: null, playing: false, span: null } as const;

function after<T>(list: readonly T[], now: T): T {
    return list[(list.indexOf(now) + 1) % list.length] as T;
}

/** The map is one of leverages, which are not known of measured positions. */
export function possible(view: View): View {
    return view.pane === 'map' && isLayer(view.symbol) ? { ...view, pane: 'heatmap' } : view;
}

export function reduce(view: View, action: Action): View {
    return possible(changed(view, action));
}

function changed(view: View, action: Action): View {
    switch (action.kind) {
        case 'set':
            return { ...view, ...action.part };
        case 'next':
            return { ...view, [action.what]: after<string>(CYCLES[action.what], view[action.what]) };
        case 'toggle':
            return { ...view, [action.what]: !view[action.what] };
        case 'study': {
            const { study } = action;
            const others = view.studies.filter((each) => each !== study);
            return { ...view, studies: others.length < view.studies.length ? others : [...view.studies, study].sort() };
        }
        case 'chart': {
            const others = view.charts.filter((each) => each !== action.symbol);
            if (others.length < view.charts.length) return { ...view, charts: others };
            return { ...view, charts: [...others, action.symbol].slice(0, LINKED_MAX) };
        }
        case 'panel':
            return { ...view, panel: action.panel === view.panel ? 'none' : action.panel };
        case 'open':
            return { ...view, symbol: action.symbol ?? view.symbol, range: action.range ?? view.range, ...NOW };
        case 'look_back':
        case 'played':
            return { ...view, moment: action.moment, playing: view.playing && action.moment !== null };
        case 'play':
            return { ...view, moment: action.moment, playing: true };
        case 'pause':
            return { ...view, playing: false };
        case 'span':
            return { ...view, span: action.span };
    }
}

/** Whether two views differ in these fields alone; `span` has to be among them where it may differ. */
export function isSameButFor(names: readonly (keyof View)[], one: View, other: View): boolean {
    return (Object.keys(one) as (keyof View)[]).every((name) => String(one[name]) === String(other[name]) || names.includes(name));
}

/** What a side setting leaves to be counted: the split view shows both. */
export function sideFilter(side: Side): 'both' | 'long' | 'short' {
    return side === 'split' ? 'both' : side;
}

export const INTERVAL_IDS: readonly string[] = ['', ...INTERVALS];
export const RANGE_IDS: readonly string[] = RANGES.map(({ id }) => id);
