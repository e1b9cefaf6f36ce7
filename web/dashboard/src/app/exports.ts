/** What leaves the page as files: the picture with its scale and settings, the levels and the walls that are shown. */
import { coveredWords } from '../model/coverage.ts';
import { formatTime, zoneName } from '../model/format.ts';
import { isLayer } from '../model/venues.ts';
import { wallRows, wallsText } from '../model/wall-rows.ts';
import type { DrawnView } from '../state/view.ts';
import type { SymbolInfo } from '../wire/answers.ts';
import type { Painter, ShownState } from './painter.ts';
import type { Parts } from './parts.ts';
import { type Caption, compose, save } from './screenshot.ts';

export type ExportKind = 'png' | 'copy' | 'walls_csv' | 'levels_csv' | 'levels_json';

const WALLS_REACH = 0.2;

export interface ExportContext {
    parts: Parts;
    painter: Painter;
    view: DrawnView;
    info: SymbolInfo | undefined;
    range: string;
}

/** Levels as rows of a table. */
export function levelsCsv({ levels }: Pick<ShownState, 'levels'>): string {
    const lines = levels.map(({ price, long_density, short_density }) =>
        [Number(price.toPrecision(12)), Math.round(long_density), Math.round(short_density)].join(),
    );
    return `${['price_low,long_usd,short_usd', ...lines].join('\n')}\n`;
}

/** Everything that was filtered, so that a picture does not claim more than it shows. */
function settingsOf(view: DrawnView): string[] {
    const words = [];
    if (view.side === 'long' || view.side === 'short') words.push(`${view.side}s only`);
    if (view.hidden.length > 0 && !isLayer(view.symbol)) words.push(`without ${view.hidden.map((each) => `${each}x`).join(', ')}`);
    if (view.threshold > 0) words.push(`above ${Math.round(view.threshold * 100)} % of the scale`);
    if (view.scale !== 'linear') words.push(view.scale === 'log' ? 'log scale' : 'by rank');
    return words;
}

function stem(view: DrawnView, range: string, asOf: number): string {
    return `liqheat-${view.symbol.replace(/[@:]/g, '-')}-${view.pane === 'map' ? 'map' : range}-${new Date(asOf).toISOString().slice(0, 16).replace(':', '')}`;
}

function download(text: string, type: string, name: string): void {
    save(new Blob([text], { type }), name);
}

/** The result is a sentence where something did not work. */
export async function exportAs(kind: ExportKind, { parts, painter, view, info, range }: ExportContext): Promise<string | null> {
    const state = painter.state();
    if (state === null || state.asOf === null) return 'There is nothing to export yet.';
    const name = stem(view, range, state.asOf);
    const covered = parts.market.coverage?.at(painter.moment() === null ? Infinity : state.asOf - 1) ?? null;
    const meta = {
        symbol: view.symbol,
        venue: info?.venue ?? '',
        as_of: new Date(state.asOf).toISOString(),
        price: state.price,
        bin: state.bin,
        ...(covered === null ? {} : { coverage_long: covered.long, coverage_short: covered.short }),
    };
    switch (kind) {
        case 'levels_csv':
            download(levelsCsv(state), 'text/csv', `${name}-levels.csv`);
            return null;
        case 'levels_json':
            download(`${JSON.stringify({ ...meta, levels: state.levels }, null, 1)}\n`, 'application/json', `${name}-levels.json`);
            return null;
        case 'walls_csv':
            download(wallsText(wallRows(state, parts.market.heat, WALLS_REACH), ','), 'text/csv', `${name}-walls.csv`);
            return null;
        default: {
            const map = view.pane === 'map';
            const year = new Date(state.asOf).getUTCFullYear();
            const where = info === undefined || info.venue === '' ? [] : [info.venue === 'all' ? 'all venues' : info.venue];
            const stale = parts.market.connection().status === 'connected' ? [] : [parts.market.connection().status];
            const measured = covered === null ? [] : [coveredWords(covered) ?? 'coverage unknown'];
            const simulated = info?.simulated === true ? ['simulated market'] : [];
            const caption: Caption = {
                title: view.symbol,
                detail: [
                    map ? 'Liquidation map' : isLayer(view.symbol) ? `Measured positions ${range}` : `Liquidation heatmap ${range}`,
                    ...measured,
                    ...where,
                    `${formatTime(state.asOf, view.zone)} ${year} ${zoneName(state.asOf, view.zone)}`,
                    ...settingsOf(view),
                    ...simulated,
                    ...stale,
                    'liqheat',
                ].join(' · '),
                theme: view.theme,
                ramp: map ? null : parts.legend.ramp(),
            };
            const picture = map ? parts.map.canvas() : parts.chart.screenshot();
            if (picture === null) return 'There is nothing to export yet.';
            const canvas = compose(picture, caption);
            const blob = await new Promise<Blob | null>((done) => canvas.toBlob(done, 'image/png'));
            if (blob === null) return 'The browser could not make a picture.';
            if (kind === 'png') save(blob, `${name}.png`);
            else {
                try {
                    await navigator.clipboard.write([new ClipboardItem({ 'image/png': blob })]);
                } catch {
                    return 'The browser does not allow pictures on the clipboard here; save the file instead.';
                }
            }
            return null;
        }
    }
}
