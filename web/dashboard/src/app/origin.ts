/** Where what is shown comes from: how much of it is assumed or measured, where venues joined it, and the footer that says so. */
import { coveredWords } from '../model/coverage.ts';
import { formatAge, formatPrice, marketDecimals, zoneName } from '../model/format.ts';
import type { Seam } from '../model/seams.ts';
import { isLayer } from '../model/venues.ts';
import { byId } from '../ui/dom.ts';
import type { MeasuredLayer } from '../wire/measured.ts';
import type { Parts, Shown } from './parts.ts';

export class Origin {
    readonly #parts: Pick<Parts, 'market' | 'chart' | 'begins' | 'facts'>;
    readonly #shown: () => Pick<Shown, 'view' | 'info'>;
    /** The moment that is looked back to; null for now. */
    readonly #moment: () => number | null;
    #seenVersion = -1;
    #seams: readonly Seam[] | null = null;

    constructor(
        parts: Pick<Parts, 'market' | 'chart' | 'begins' | 'facts'>,
        shown: () => Pick<Shown, 'view' | 'info'>,
        moment: () => number | null,
    ) {
        this.#parts = parts;
        this.#shown = shown;
        this.#moment = moment;
    }

    /** How many lines say that a venue joined. */
    seams(): number {
        return this.#seams?.length ?? 0;
    }

    draw(): void {
        const { market, chart, begins } = this.#parts;
        const { info } = this.#shown();
        if (info !== undefined) begins.want(info);
        this.drawCoverage();
        if (market.seen.version !== this.#seenVersion) chart.assumed((time) => market.seen.assumedAt(time));
        if (begins.seams() !== this.#seams) chart.seams(begins.seams());
        this.#seenVersion = market.seen.version;
        this.#seams = begins.seams();
    }

    /** How much of the market is measured, and where nothing was. */
    drawCoverage(): void {
        const { market, chart } = this.#parts;
        const { coverage, heat } = market;
        if (coverage !== null && isLayer(this.#shown().view.symbol)) {
            const newest = this.#facts();
            if (newest !== null && market.isLive) {
                const isEmpty = newest.long.accounts + newest.short.accounts === 0;
                coverage.learn(newest.asOf, isEmpty ? null : { long: newest.long.coverage, short: newest.short.coverage });
            }
            this.foot();
        }
        chart.coverage(coverage, heat === null ? 0 : heat.start() + heat.columns() * heat.columnMs());
    }

    foot(): void {
        const header = this.#parts.market.heat?.header;
        const { view } = this.#shown();
        if (header === undefined) return;
        const bin = formatPrice(header.bin, marketDecimals([], header.bin));
        const kind = isLayer(view.symbol) ? this.#measuredWords() : 'Estimated liquidation levels';
        const seen = header.seen_share === null ? '' : ` · ${Math.round(header.seen_share * 100)} % of positions seen opening`;
        const cells = view.pane === 'map' ? '' : ` · bin $${bin} · column ${formatAge(header.column_ms)}`;
        const zone = zoneName(header.as_of, view.zone);
        byId('foot', HTMLElement).textContent = `${kind}${cells}${seen} · times in ${zone}`;
    }

    #facts(): MeasuredLayer | null {
        const { market, facts } = this.#parts;
        return facts.of(this.#shown().view.symbol, market.edge()?.asOf ?? null);
    }

    /** Of how many accounts the levels are, and of how much of the market. */
    #measuredWords(): string {
        const moment = this.#moment();
        const newest = this.#facts();
        const accounts = newest === null ? 0 : newest.long.accounts + newest.short.accounts;
        const covered = this.#parts.market.coverage?.at(moment === null ? Infinity : moment - 1) ?? null;
        if (covered === null) return 'Nothing measured';
        const of = moment === null && accounts > 0 ? ` · positions of ${accounts.toLocaleString('en-US')} accounts` : '';
        return `Measured: ${coveredWords(covered) ?? 'an unknown share of open interest'}${of}`;
    }
}
