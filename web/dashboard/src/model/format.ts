/** Numbers and times as traders write them. */

const UNITS: readonly (readonly [number, string])[] = [
    [1e12, 'T'],
    [1e9, 'B'],
    [1e6, 'M'],
    [1e3, 'K'],
];

/** 633_470_000 -> "633.47M"; small amounts whole. */
export function compactUsd(usd: number): string {
    const size = Math.abs(usd);
    for (const [unit, letter] of UNITS) {
        // The half keeps 999,999 from becoming "1000.00K".
        if (size >= unit * 0.999995) return (usd / unit).toFixed(2) + letter;
    }
    return usd.toFixed(0);
}

/** Shorter still, for axis ends: "633M", "1.2B". */
export function tersestUsd(usd: number): string {
    for (const [unit, letter] of UNITS) {
        if (Math.abs(usd) >= unit * 0.9995) {
            const value = usd / unit;
            return (value >= 100 ? value.toFixed(0) : value.toPrecision(2)) + letter;
        }
    }
    return usd.toFixed(0);
}

const DECIMALS_MAX = 12;

/** How many decimals a price of this size is worth showing: five significant digits, whole from 10,000 on. */
export function priceDecimals(price: number): number {
    if (!(price > 0)) return 2;
    return Math.min(DECIMALS_MAX, Math.max(0, 4 - Math.floor(Math.log10(price))));
}

/** Decimals needed to write a number exactly, at most `max`. */
function decimalsIn(value: number, max: number): number {
    for (let decimals = 0; decimals < max; decimals++) {
        const scaled = value * 10 ** decimals;
        // Binary fractions are off by far less than this share of themselves.
        if (Math.abs(scaled - Math.round(scaled)) <= scaled * 1e-9) return decimals;
    }
    return max;
}

/**
 * Decimals for all prices of a market: what its rows and its prices really have, and no more than five significant digits of
 * the prices. One number for axis, header and tooltip, so that digits are neither invented nor change within a picture.
 */
export function marketDecimals(prices: Iterable<number>, bin: number): number {
    let largest = 0;
    const all = [...prices].filter((price) => price > 0);
    for (const price of all) largest = Math.max(largest, price);
    const worth = priceDecimals(largest);
    const rows = decimalsIn(bin, DECIMALS_MAX);
    return all.reduce((most, price) => Math.max(most, decimalsIn(price, worth)), rows);
}

const formats = new Map<number, Intl.NumberFormat>();

export function formatPrice(price: number, decimals: number): string {
    let format = formats.get(decimals);
    if (format === undefined) {
        format = new Intl.NumberFormat('en-US', { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
        formats.set(decimals, format);
    }
    return format.format(price);
}

export function signedPercent(share: number): string {
    const percent = share * 100;
    return `${percent >= 0 ? '+' : '−'}${Math.abs(percent).toFixed(2)} %`;
}

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

function two(n: number): string {
    return String(n).padStart(2, '0');
}

export const ZONES = ['utc', 'local'] as const;
/** The time zone that times are written in: UTC, or that of the reader's machine. */
export type Zone = (typeof ZONES)[number];

export interface CalendarTime {
    year: number;
    month: string;
    day: number;
    hours: number;
    minutes: number;
}

export function calendar(ms: number, zone: Zone): CalendarTime {
    const date = new Date(ms);
    const utc = zone === 'utc';
    return {
        year: utc ? date.getUTCFullYear() : date.getFullYear(),
        month: MONTHS[utc ? date.getUTCMonth() : date.getMonth()] ?? '',
        day: utc ? date.getUTCDate() : date.getDate(),
        hours: utc ? date.getUTCHours() : date.getHours(),
        minutes: utc ? date.getUTCMinutes() : date.getMinutes(),
    };
}

export function formatHours({ hours, minutes }: CalendarTime): string {
    return `${two(hours)}:${two(minutes)}`;
}

/** "28 Dec 14:30". */
export function formatTime(ms: number, zone: Zone = 'utc'): string {
    const time = calendar(ms, zone);
    return `${time.day} ${time.month} ${formatHours(time)}`;
}

/** "UTC", or the offset of the reader's zone at a time: "UTC+2", "UTC+5:30". */
export function zoneName(ms: number, zone: Zone): string {
    const minutes = zone === 'utc' ? 0 : -new Date(ms).getTimezoneOffset();
    if (minutes === 0) return 'UTC';
    const size = Math.abs(minutes);
    const rest = size % 60 === 0 ? '' : `:${two(size % 60)}`;
    return `UTC${minutes < 0 ? '−' : '+'}${Math.floor(size / 60)}${rest}`;
}

/** "3 s", "4 min", "2 h", "5 d". */
export function formatAge(ms: number): string {
    const seconds = Math.max(0, ms) / 1000;
    if (seconds < 60) return `${Math.floor(seconds)} s`;
    if (seconds < 3600) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86_400)} d`;
}
