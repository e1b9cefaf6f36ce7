/**
 * Names of symbols: `BTCUSDT` is the sum of its venues, `BTCUSDT@okx` one of them, `BTCUSDT@hyperliquid:measured` the layer of
 * measured positions beside the estimate of that venue.
 */
import type { SymbolInfo } from '../wire/answers.ts';

export interface SymbolParts {
    base: string;
    /** Empty for all venues together; `hyperliquid:measured` of a layer. */
    venue: string;
}

export function partsOf(symbol: string): SymbolParts {
    const [base = '', venue = ''] = symbol.split('@');
    return { base, venue };
}

export function symbolOf(base: string, venue: string): string {
    return venue === '' ? base : `${base}@${venue}`;
}

/** What ends the name of a layer of measured positions. */
const LAYER = ':measured';

export function isLayer(symbol: string): boolean {
    return symbol.endsWith(LAYER);
}

/** The estimate of the same venue; the symbol itself where it is no layer. */
export function estimateOf(symbol: string): string {
    return isLayer(symbol) ? symbol.slice(0, -LAYER.length) : symbol;
}

/** The layer of a symbol, of its venue, or of that name; null without one. */
export function layerOf(layers: readonly string[], symbol: string): string | null {
    return layers.find((layer) => [layer, estimateOf(layer), partsOf(layer).base].includes(symbol)) ?? null;
}

/** A venue as it is read: `hyperliquid, measured`. */
export function venueLabel(venue: string): string {
    return isLayer(venue) ? `${estimateOf(venue)}, measured` : venue;
}

/** The symbol whose candles, liquidations and other series are shown with it. */
export function marketOf({ symbol, estimate }: Pick<SymbolInfo, 'symbol' | 'estimate'>): string {
    return estimate ?? symbol;
}

/** What the list of symbols says of one, which may be one venue of a listed sum, `BTCUSDT@okx`, or a layer. */
export function findSymbol(listed: readonly SymbolInfo[], symbol: string, layers: readonly SymbolInfo[] = []): SymbolInfo | undefined {
    const found = listed.find((info) => info.symbol === symbol);
    if (found !== undefined) return found;
    const layer = layers.find((info) => info.symbol === symbol);
    if (layer !== undefined) {
        const estimate = findSymbol(listed, estimateOf(symbol));
        if (estimate === undefined) return undefined;
        // Candles are those of the estimate, and so are the time that can be walked through and the height of a level.
        const { interval, first, baseBin } = estimate;
        return { ...layer, interval, first, last: layer.last ?? estimate.last, baseBin, estimate: estimate.symbol };
    }
    const { base, venue } = partsOf(symbol);
    const sum = listed.find((info) => info.symbol === base);
    return sum?.venues.includes(venue) === true ? { ...sum, symbol, venue, venues: [venue] } : undefined;
}
