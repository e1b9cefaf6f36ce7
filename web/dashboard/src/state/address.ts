/**
 * The view in the address: a link shows the same picture to whoever opens it.
 *
 * Every field is written, so that neither the reader's own settings nor later defaults change what a link shows. Fields that are
 * usually empty (hidden leverages, a moment, a stretch of time) are written when they are not.
 */
import { ZONES } from '../model/format.ts';
import { SPEEDS } from '../model/playback.ts';
import { STUDIES } from '../model/studies.ts';
import {
    AXES,
    COLOURS,
    DEFAULT_VIEW,
    INTERVAL_IDS,
    LINKED_MAX,
    PANELS,
    PANES,
    possible,
    RANGE_IDS,
    SCALES,
    SIDES,
    THEME_CHOICES,
    THRESHOLD_MAX,
    type View,
} from './view.ts';

const HIDDEN_MAX = 16;

function leveragesOf(text: string | null): readonly number[] {
    const numbers = (text ?? '')
        .split(',')
        .map(Number)
        .filter((each) => each > 0 && Number.isFinite(each));
    return [...new Set(numbers)].sort((a, b) => a - b).slice(0, HIDDEN_MAX);
}

function oneOf<T extends string>(allowed: readonly T[], value: string | null, otherwise: T): T {
    return allowed.find((each) => each === value) ?? otherwise;
}

/** RFC 3339 or milliseconds since 1970; null for anything else. */
function timeOf(text: string | null): number | null {
    if (text === null || text === '') return null;
    const time = /^\d+$/.test(text) ? Number(text) : Date.parse(text);
    return Number.isFinite(time) && time > 0 ? time : null;
}

function timeText(time: number): string {
    return new Date(Math.round(time / 1000) * 1000).toISOString().replace('.000Z', 'Z');
}

function symbolText(text: string): string {
    return text.toUpperCase().replace(/@.*$/, (venue) => venue.toLowerCase());
}

function chartsOf(text: string | null): readonly string[] {
    const symbols = (text ?? '').split(',').map((each) => symbolText(each.trim()));
    return [...new Set(symbols)].filter((each) => each !== '').slice(0, LINKED_MAX);
}

/** Unknown or broken fields fall back to `base`, one by one. */
export function viewFromAddress(query: string, base: View = DEFAULT_VIEW): View {
    const params = new URLSearchParams(query);
    const threshold = Number.parseFloat(params.get('threshold') ?? '');
    const from = timeOf(params.get('from'));
    const to = timeOf(params.get('to'));
    const flag = (name: string, otherwise: boolean): boolean => (params.has(name) ? params.get(name) !== '0' : otherwise);
    return possible({
        symbol: symbolText(params.get('symbol') ?? base.symbol),
        range: oneOf(RANGE_IDS, params.get('range'), base.range),
        pane: oneOf(PANES, params.get('view'), base.pane),
        side: oneOf(SIDES, params.get('side'), base.side),
        scale: oneOf(SCALES, params.get('scale'), base.scale),
        colours: oneOf(COLOURS, params.get('colours'), base.colours),
        threshold: threshold >= 0 ? Math.min(THRESHOLD_MAX, threshold) : base.threshold,
        theme: oneOf(THEME_CHOICES, params.get('theme'), base.theme),
        events: flag('events', base.events),
        swept: flag('swept', base.swept),
        near: flag('near', base.near),
        hidden: params.has('hide') ? leveragesOf(params.get('hide')) : base.hidden,
        opened: oneOf(['', ...RANGE_IDS], params.get('opened'), base.opened),
        panel: oneOf(PANELS, params.get('panel'), base.panel),
        zone: oneOf(ZONES, params.get('zone'), base.zone),
        axis: oneOf(AXES, params.get('axis'), base.axis),
        studies: params.has('studies') ? STUDIES.filter((each) => params.get('studies')?.split(',').includes(each)).sort() : base.studies,
        charts: params.has('charts') ? chartsOf(params.get('charts')) : base.charts,
        interval: oneOf(INTERVAL_IDS, params.get('interval'), base.interval),
        speed: oneOf(SPEEDS, params.get('speed'), base.speed),
        moment: timeOf(params.get('at')),
        playing: params.get('play') === '1',
        span: from !== null && to !== null && from < to ? { from, to } : null,
        // As the server reads it, which lets other pages frame what says so anywhere.
        embedded: params.getAll('embed').some((each) => each !== '0'),
    });
}

export function addressOf(view: View): string {
    const params = new URLSearchParams();
    const set = (name: string, value: string): void => {
        if (value !== '') params.set(name, value);
    };
    set('symbol', view.symbol);
    set('range', view.range);
    set('view', view.pane);
    set('side', view.side);
    set('scale', view.scale);
    set('colours', view.colours);
    set('threshold', String(Math.round(view.threshold * 1000) / 1000));
    set('theme', view.theme);
    set('events', view.events ? '1' : '0');
    set('swept', view.swept ? '1' : '0');
    set('near', view.near ? '1' : '0');
    set('axis', view.axis);
    set('zone', view.zone);
    set('panel', view.panel);
    set('speed', view.speed);
    set('studies', view.studies.join());
    set('interval', view.interval);
    set('charts', view.charts.join());
    set('hide', view.hidden.join());
    set('opened', view.opened);
    if (view.moment !== null) set('at', timeText(view.moment));
    if (view.playing) set('play', '1');
    if (view.span !== null) {
        set('from', timeText(view.span.from));
        set('to', timeText(view.span.to));
    }
    if (view.embedded) set('embed', '1');
    return `?${params.toString().replaceAll('%3A', ':').replaceAll('%2C', ',').replaceAll('%40', '@')}`;
}

/** The address names no part of a view. */
export function isBare(query: string): boolean {
    const names = [
        ...[
            'symbol',
            'range',
            'view',
            'side',
            'scale',
            'colours',
            'threshold',
            'theme',
            'events',
            'swept',
            'near',
            'axis',
            'zone',
            'panel',
            'speed',
        ],
        ...['hide', 'opened', 'interval', 'studies', 'charts', 'at', 'play', 'from', 'embed'],
    ];
    const params = new URLSearchParams(query);
    return !names.some((name) => params.has(name));
}
