/** Names of symbols: `BTCUSDT` is the sum of its venues, `BTCUSDT@okx` one of them. */
import type { SymbolInfo } from '../wire/answers.ts';

export interface SymbolParts {
    base: string;
    /** Empty for all venues together. */
    venue: string;
}

export function partsOf(symbol: string): SymbolParts {
    const [base = '', venue = ''] = symbol.split('@');
    return { base, venue };
}

/** What the list of symbols says of one, which may be one venue of a listed sum: `BTCUSDT@okx`. */
export function findSymbol(listed: readonly SymbolInfo[], symbol: string): SymbolInfo | undefined {
    const found = listed.find((info) => info.symbol === symbol);
    if (found !== undefined) return found;
    const { base, venue } = partsOf(symbol);
    const sum = listed.find((info) => info.symbol === base);
    return sum?.venues.includes(venue) === true ? { ...sum, symbol, venue, venues: [venue] } : undefined;
}

/** What ends the name of a layer of measured positions, `BTCUSDT@hyperliquid:measured`. */
const LAYER = ':measured';

/** The estimate of the same venue. */
export function estimateOf(layer: string): string {
    return layer.replace(LAYER, '');
}

/** The layer of a symbol or of its venue; null without one. */
export function layerOf(layers: readonly string[], symbol: string): string | null {
    return layers.find((layer) => [estimateOf(layer), partsOf(layer).base].includes(symbol)) ?? null;
}

export function symbolOf(base: string, venue: string): string {
    return venue === '' ? base : `${base}@${venue}`;
}
