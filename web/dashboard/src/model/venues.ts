/** Names of symbols: `BTCUSDT` is the sum of its venues, `BTCUSDT@okx` one of them. */

export interface SymbolParts {
    base: string;
    /** Empty for all venues together. */
    venue: string;
}

export function partsOf(symbol: string): SymbolParts {
    const [base = '', venue = ''] = symbol.split('@');
    return { base, venue };
}

export function symbolOf(base: string, venue: string): string {
    return venue === '' ? base : `${base}@${venue}`;
}
