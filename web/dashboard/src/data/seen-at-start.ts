/** How much of the positions was seen being opened where a picture begins. */
import type { Api } from '../transport/api.ts';
import type { SymbolInfo } from '../wire/answers.ts';
import type { GridHeader } from '../wire/grid.ts';
import { decimal } from './walk.ts';

/**
 * The answer with a picture says it of now; a column of one cell says it of its beginning. Null where nothing is assumed (of
 * measured positions), where all of it is, because the data begins there, and where no answer came: the share is then taken to shrink evenly from where the data begins.
 */
export async function seenAtStart(api: Api, info: SymbolInfo, header: GridHeader, signal: AbortSignal): Promise<GridHeader | null> {
    const { start, column_ms, price_low, bin, rows, seen_share } = header;
    if (seen_share === null || rows === 0 || start <= (info.first ?? start) + column_ms) return null;
    const low = price_low > 0 ? price_low : bin;
    const query = {
        symbol: info.symbol,
        from: start,
        to: start + column_ms,
        columns: 1,
        bin: decimal(bin),
        price_low: decimal(low),
        price_high: decimal(low + bin),
    };
    return api.history(query, signal).then(
        (grid) => grid.header,
        () => null,
    );
}
