/** What the person chose to look at, and its form in the address: a link shows the same picture. */
import { RANGES } from './ranges.ts';

export const SIDES = ['both', 'long', 'short', 'split'] as const;
export const SCALES = ['linear', 'log', 'percentile'] as const;
export const COLOURS = ['viridis', 'magma', 'inferno', 'cividis'] as const;
export const THEMES = ['dark', 'light'] as const;
export const PANES = ['heatmap', 'map'] as const;

export type Side = (typeof SIDES)[number];
export type Scale = (typeof SCALES)[number];
export type Colours = (typeof COLOURS)[number];
export type Theme = (typeof THEMES)[number];
export type Pane = (typeof PANES)[number];

export interface View {
    symbol: string;
    range: string;
    pane: Pane;
    side: Side;
    scale: Scale;
    colours: Colours;
    /** Share of the colour scale below which nothing is drawn, 0..0.95. */
    threshold: number;
    theme: Theme;
    /** Realised liquidations as circles. */
    events: boolean;
    /** Marks where the price took levels. */
    swept: boolean;
    /** Leverages that are not shown, ascending. */
    hidden: readonly number[];
    /** The map shows only positions opened within this range; empty for all. */
    opened: string;
}

export const THRESHOLD_MAX = 0.95;

export const DEFAULT_VIEW: Readonly<View> = {
    symbol: '',
    range: '3d',
    pane: 'heatmap',
    side: 'both',
    scale: 'linear',
    colours: 'viridis',
    threshold: 0,
    theme: 'dark',
    events: true,
    swept: true,
    hidden: [],
    opened: '',
};

/** What a side setting leaves to be counted: the split view shows both. */
export function sideFilter(side: Side): 'both' | 'long' | 'short' {
    return side === 'split' ? 'both' : side;
}

const HIDDEN_MAX = 16;

function leveragesOf(text: string | null, otherwise: readonly number[]): readonly number[] {
    if (text === null) return otherwise;
    const numbers = text
        .split(',')
        .map(Number)
        .filter((each) => each > 0 && Number.isFinite(each));
    return [...new Set(numbers)].sort((a, b) => a - b).slice(0, HIDDEN_MAX);
}

function oneOf<T extends string>(allowed: readonly T[], value: string | null, otherwise: T): T {
    return allowed.find((each) => each === value) ?? otherwise;
}

/** Unknown or broken parts of the address fall back to `base`, one by one. */
export function viewFromQuery(query: string, base: Readonly<View> = DEFAULT_VIEW): View {
    const params = new URLSearchParams(query);
    const threshold = Number.parseFloat(params.get('threshold') ?? '');
    const ranges = RANGES.map((range) => range.id);
    return {
        symbol: (params.get('symbol') ?? base.symbol).toUpperCase(),
        range: oneOf(ranges, params.get('range'), base.range),
        pane: oneOf(PANES, params.get('view'), base.pane),
        side: oneOf(SIDES, params.get('side'), base.side),
        scale: oneOf(SCALES, params.get('scale'), base.scale),
        colours: oneOf(COLOURS, params.get('colours'), base.colours),
        threshold: threshold >= 0 ? Math.min(THRESHOLD_MAX, threshold) : base.threshold,
        theme: oneOf(THEMES, params.get('theme'), base.theme),
        opened: oneOf(['', ...ranges], params.get('opened'), base.opened),
        hidden: leveragesOf(params.get('hide'), base.hidden),
        events: params.has('events') ? params.get('events') !== '0' : base.events,
        swept: params.has('swept') ? params.get('swept') !== '0' : base.swept,
    };
}

/** Symbol and range always, the rest where it is not the default. */
export function queryOf(view: Readonly<View>, base: Readonly<View> = DEFAULT_VIEW): string {
    const params = new URLSearchParams();
    if (view.symbol !== '') params.set('symbol', view.symbol);
    params.set('range', view.range);
    if (view.pane !== base.pane) params.set('view', view.pane);
    if (view.side !== base.side) params.set('side', view.side);
    if (view.scale !== base.scale) params.set('scale', view.scale);
    if (view.colours !== base.colours) params.set('colours', view.colours);
    if (view.threshold !== base.threshold) params.set('threshold', String(Math.round(view.threshold * 1000) / 1000));
    if (view.theme !== base.theme) params.set('theme', view.theme);
    if (view.events !== base.events) params.set('events', view.events ? '1' : '0');
    if (view.swept !== base.swept) params.set('swept', view.swept ? '1' : '0');
    if (view.hidden.join() !== base.hidden.join()) params.set('hide', view.hidden.join());
    if (view.opened !== base.opened) params.set('opened', view.opened);
    return `?${params.toString()}`;
}
