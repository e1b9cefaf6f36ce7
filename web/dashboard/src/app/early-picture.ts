/** Asks for the first picture while the code that draws it is on its way: over a slow line that is most of the time. */
import { rangeQueries } from '../data/range-query.ts';
import { fitting, rangeById, rangesOf } from '../model/ranges.ts';
import { findSymbol } from '../model/venues.ts';
import type { View } from '../state/view.ts';
import type { EarlyAnswers } from '../transport/early.ts';
import { parseSymbols } from '../wire/answers.ts';
import { GRID_ACCEPT } from '../wire/grid.ts';

/** Asks for what the page will ask for with this view; what it asks for otherwise it asks for later. `barsMax`: how many candles there is room for. */
export async function askEarly(answers: EarlyAnswers, { symbol, range: wanted, interval }: View, barsMax: number): Promise<void> {
    const body = await answers.symbols();
    if (body === null) return;
    const { symbols, layers } = parseSymbols(body);
    const info = findSymbol(symbols, symbol, layers) ?? symbols[0];
    const range = info === undefined ? undefined : rangeById(fitting(wanted, rangesOf(info, 0)));
    if (info === undefined || range === undefined) return;
    const queries = rangeQueries(info, range, interval, barsMax);
    answers.ask('prices/klines', queries.candles, 'application/json');
    answers.ask('v1/heatmap/history', queries.grid, GRID_ACCEPT);
}
