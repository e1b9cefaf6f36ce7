/** The chart's own colours by theme; the page's are in the style sheet. */
import type { Theme } from '../state/view.ts';

export interface ChartColours {
    background: string;
    text: string;
    grid: string;
    border: string;
    crosshair: string;
    crosshairLabel: string;
    up: string;
    down: string;
    priceLine: string;
    long: string;
    short: string;
    edge: string;
    volume: string;
}

const DARK: ChartColours = {
    background: '#0a0d12',
    text: '#93a0b0',
    grid: 'rgba(148, 163, 184, 0.06)',
    border: '#1d2530',
    crosshair: 'rgba(226, 232, 240, 0.55)',
    crosshairLabel: '#334155',
    up: '#2ee6c0',
    down: '#ff5b6e',
    priceLine: '#e2e8f0',
    long: '#459df0',
    short: '#f8a04a',
    edge: '#ffffff',
    volume: 'rgba(100, 116, 139, 0.6)',
};

const LIGHT: ChartColours = {
    background: '#ffffff',
    text: '#4b5868',
    grid: 'rgba(71, 85, 105, 0.08)',
    border: '#dfe4ea',
    crosshair: 'rgba(15, 23, 42, 0.5)',
    crosshairLabel: '#475569',
    up: '#00897b',
    down: '#d81b45',
    priceLine: '#0f172a',
    long: '#1767bd',
    short: '#c65a05',
    edge: '#0f172a',
    volume: 'rgba(100, 116, 139, 0.45)',
};

export function chartColours(theme: Theme): ChartColours {
    return theme === 'dark' ? DARK : LIGHT;
}
