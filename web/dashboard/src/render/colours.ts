/** Colour maps: ten stops each, perceptually even, and legible to colour-blind eyes; cividis is made for them. */
import type { Colours, Theme } from '../state/view.ts';

type Stops = readonly string[];

const MAPS: Readonly<Record<Colours, Stops>> = {
    viridis: ['440154', '482878', '3e4989', '31688e', '26828e', '1f9e89', '35b779', '6ece58', 'b5de2b', 'fde725'],
    magma: ['0b0724', '221150', '440f76', '721f81', '9e2f7f', 'cd4071', 'f1605d', 'fd9668', 'feca8d', 'fcfdbf'],
    inferno: ['0d0829', '280b53', '4a0c6b', '781c6d', 'a52c60', 'cf4446', 'ed6925', 'fb9b06', 'f7d13d', 'fcffa4'],
    cividis: ['00224e', '123570', '3b496c', '575d6d', '707173', '8a8678', 'a59c74', 'c3b369', 'e1cc55', 'fee838'],
};

/** The two hues of the split view: blue and orange stay apart under every common colour blindness. */
const SPLIT: Readonly<Record<'long' | 'short', Stops>> = {
    long: ['0a1f3d', '0e3568', '124d94', '1767bd', '2583dc', '459df0', '6fb6f8', '9bcdfc', 'c4e2fe', 'eaf5ff'],
    short: ['331703', '5a2804', '843b05', 'ad5006', 'd0680c', 'ea8322', 'f8a04a', 'fdbd7b', 'fed8ad', 'fff0dd'],
};

export type Rgb = readonly [red: number, green: number, blue: number];

function parse(hex: string): Rgb {
    const value = Number.parseInt(hex, 16);
    return [value >> 16, (value >> 8) & 255, value & 255];
}

function between(stops: Stops, share: number): Rgb {
    const place = Math.min(1, Math.max(0, share)) * (stops.length - 1);
    const lower = Math.min(stops.length - 2, Math.floor(place));
    const a = parse(stops[lower] ?? '000000');
    const b = parse(stops[lower + 1] ?? '000000');
    const part = place - lower;
    const channel = (i: 0 | 1 | 2): number => Math.round(a[i] + (b[i] - a[i]) * part);
    return [channel(0), channel(1), channel(2)];
}

/** Low leverage to high: distinct in hue and in lightness, so that they can be told apart without hue. */
const LEVERAGES: Readonly<Record<Theme, Stops>> = {
    dark: ['4c5fd5', '3f8fe8', '35bcd0', '6fd69a', 'd7dd6a', 'f5a623', 'ff7a59'],
    light: ['31409e', '2a6fc2', '16849a', '2c8f58', '8c8a12', 'b86e00', 'c2452a'],
};
const LEVERAGE_LOWEST = 3;
const LEVERAGE_HIGHEST = 100;

/** The colour of a leverage: the same in every market and view, whatever other leverages there are. */
export function leverageColour(theme: Theme, leverage: number): string {
    const share = Math.log(leverage / LEVERAGE_LOWEST) / Math.log(LEVERAGE_HIGHEST / LEVERAGE_LOWEST);
    return `rgb(${between(LEVERAGES[theme], share).join(' ')})`;
}

/** On a light page more money must be darker, so the maps run backwards there. */
function directed(share: number, theme: Theme): number {
    return theme === 'dark' ? share : 1 - share;
}

export function colourAt(colours: Colours, theme: Theme, share: number): Rgb {
    return between(MAPS[colours], directed(share, theme));
}

export function splitColourAt(side: 'long' | 'short', theme: Theme, share: number): Rgb {
    return between(SPLIT[side], directed(share, theme));
}

/**
 * Faint amounts let the page show through, so that strong bands stand out; colours are solid from `solid` on. A light page
 * needs more of it: pale yellow everywhere would drown the picture.
 */
const OPACITY: Readonly<Record<Theme, { faintest: number; solid: number }>> = {
    dark: { faintest: 0.25, solid: 0.3 },
    light: { faintest: 0.05, solid: 0.55 },
};

export function opacityAt(share: number, theme: Theme): number {
    const { faintest, solid } = OPACITY[theme];
    return share >= solid ? 1 : faintest + (1 - faintest) * (share / solid);
}
