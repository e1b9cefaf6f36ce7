/** An alert as it is being set: what the form holds, what it becomes, and what the chart proposes. */
import type { RuleFields, RuleKind } from '../wire/alerts.ts';
import type { Wall } from './walls.ts';

/** `price` is watched by the page itself; all others by the server. */
export type DraftKind = 'price' | RuleKind;

export interface Draft {
    kind: DraftKind;
    /** Empty for every symbol. */
    symbol: string;
    /** Of a price alert. */
    price: number;
    minUsd: number;
    /** Per cent. */
    within: number;
    /** Seconds that are summed, or without data. */
    seconds: number;
    side: 'both' | 'long' | 'short';
}

const WITHIN_DEFAULT: Partial<Record<DraftKind, number>> = { near_wall: 0.5, wall_formed: 10, wall_vanished: 10 };
const SECONDS_DEFAULT: Partial<Record<DraftKind, number>> = { cascade: 300, feed_stale: 60 };

/** The fields of a draft that its kind uses. */
export function fieldsFor(kind: DraftKind): ReadonlySet<'price' | 'minUsd' | 'within' | 'seconds' | 'side'> {
    if (kind === 'price') return new Set(['price']);
    if (kind === 'feed_stale') return new Set(['seconds']);
    return new Set([
        'minUsd',
        'side',
        ...(kind in WITHIN_DEFAULT ? (['within'] as const) : []),
        ...(kind in SECONDS_DEFAULT ? (['seconds'] as const) : []),
    ]);
}

export function draftOf(kind: DraftKind, symbol: string, part: Partial<Draft> = {}): Draft {
    return {
        kind,
        symbol,
        price: 0,
        minUsd: 10_000_000,
        within: WITHIN_DEFAULT[kind] ?? 1,
        seconds: SECONDS_DEFAULT[kind] ?? 300,
        side: 'both',
        ...part,
    };
}

/** To two digits, downwards: the wall that was pointed at stays above it. */
export function roundedDown(usd: number): number {
    if (!(usd >= 1)) return 1;
    const unit = 10 ** Math.max(0, Math.floor(Math.log10(usd)) - 1);
    return Math.floor(usd / unit) * unit;
}

/** Share of a wall's dollars that a rule asks for, because walls of the server differ a little and breathe. */
const WALL_SHARE = 0.8;

/** What is proposed for a wall: to hear when the price comes near it. */
export function draftOfWall(symbol: string, { side, usd }: Pick<Wall, 'side' | 'usd'>): Draft {
    return draftOf('near_wall', symbol, { side, minUsd: roundedDown(usd * WALL_SHARE) });
}

/** What is proposed for a point of the chart: its wall, or its price where there is none. */
export function draftAt(symbol: string, price: number, walls: readonly Wall[]): Draft {
    const wall = walls.find(({ low, high }) => price >= low && price < high);
    return wall === undefined ? draftOf('price', symbol, { price }) : { ...draftOfWall(symbol, wall), price };
}

/** Whole dollars from what people write: "25m", "1.5 bn", "250,000". Null for anything else. */
export function usdOf(text: string): number | null {
    const match = /^\s*\$?\s*([\d][\d,_ ]*(?:\.\d+)?)\s*(k|m|mn|b|bn|t)?\s*$/i.exec(text);
    if (match === null) return null;
    const unit = { k: 1e3, m: 1e6, b: 1e9, t: 1e12 }[(match[2] ?? '').slice(0, 1).toLowerCase()] ?? 1;
    const usd = Math.round(Number((match[1] ?? '').replace(/[,_ ]/g, '')) * unit);
    return Number.isSafeInteger(usd) && usd > 0 ? usd : null;
}

/** A name that no rule has yet, of letters the server takes. */
export function freeName({ kind, symbol }: Pick<Draft, 'kind' | 'symbol'>, taken: ReadonlySet<string>): string {
    const stem = `${kind}-${symbol === '' ? 'all' : symbol}`.replace(/[^A-Za-z0-9._-]/g, '-').slice(0, 56);
    let name = stem;
    for (let count = 2; taken.has(name); count++) name = `${stem}-${count}`;
    return name;
}

/** The rule for the server. */
export function ruleOf(draft: Draft & { kind: RuleKind }, name: string): RuleFields {
    const uses = fieldsFor(draft.kind);
    return {
        name,
        kind: draft.kind,
        ...(draft.symbol === '' ? {} : { symbols: [draft.symbol] }),
        ...(uses.has('minUsd') ? { min_usd: draft.minUsd } : {}),
        ...(uses.has('within') ? { within_pct: draft.within } : {}),
        ...(draft.kind === 'cascade' ? { window_s: draft.seconds } : {}),
        ...(draft.kind === 'feed_stale' ? { after_s: draft.seconds } : {}),
        ...(uses.has('side') && draft.side !== 'both' ? { side: draft.side } : {}),
    };
}
