/** The liquidation map on the page: fetches the levels of now while it is looked at, and filters them by leverage. What draws it is loaded when it is opened. */
import { compactUsd, formatPrice, signedPercent } from '../model/format.ts';
import type { LeverageMap, leverageMap, MapBin } from '../model/liquidation-map.ts';
import type { MapView } from '../render/map-view.ts';
import type { Theme } from '../state/view.ts';
import type { Api } from '../transport/api.ts';
import type { Row, Tooltip } from '../ui/tooltip.ts';
import type { LeverageLevels, SymbolInfo } from '../wire/answers.ts';

/** Levels are fetched after a state, and no more often than this. */
const REFRESH_MS = 4_000;
const RETRY_MS = 3_000;
/** Positions of a stretch of time cost the server a run over its bars. */
const REFRESH_OPENED_MS = 15_000;
const BAR_PX_MIN = 7;
const BARS_MIN = 24;

interface Drawing {
    view: MapView;
    leverageMap: typeof leverageMap;
}

export class MapPane {
    readonly #api: Api;
    readonly #host: HTMLElement;
    readonly #tooltip: Tooltip;
    /** Null while its code is not there. */
    #drawing: Drawing | null = null;
    #isLoading = false;
    readonly #request: () => void;
    readonly #failed: (why: string | null) => void;
    #info: SymbolInfo | null = null;
    #opened = '';
    #levels: LeverageLevels | null = null;
    #map: LeverageMap | null = null;
    #decimals = 2;
    #abort = new AbortController();
    #retry: ReturnType<typeof setTimeout> | undefined;
    #askedAt = 0;
    /** The state that the levels were fetched after, by its time; undefined until the first frame after opening, whose state they belong to. */
    #askedFor: number | null | undefined = undefined;

    /** `request` asks for a frame in which `draw` is called; `failed` receives the reason why there is nothing, or null when there is something. */
    constructor(api: Api, host: HTMLElement, tooltip: Tooltip, request: () => void, failed: (why: string | null) => void) {
        this.#api = api;
        this.#host = host;
        this.#tooltip = tooltip;
        this.#request = request;
        this.#failed = failed;
    }

    /** `opened`: a range in which the positions were opened, or empty for all of them. */
    open(info: SymbolInfo, opened: string): void {
        if (this.#info?.symbol !== info.symbol) {
            this.#levels = null;
            this.#drawing?.view.unpoint();
        }
        this.#info = info;
        this.#opened = opened;
        this.#host.hidden = false;
        this.#askedFor = undefined;
        clearTimeout(this.#retry);
        void this.#load();
        void this.#fetch();
    }

    close(): void {
        this.#abort.abort();
        clearTimeout(this.#retry);
        this.#host.hidden = true;
        this.#drawing?.view.unpoint();
        this.#tooltip.hide();
    }

    /** `price` and `asOf`: of the newest state, which is younger than the fetched levels; `hidden`: leverages that are not shown; `decimals`: of prices. */
    draw(theme: Theme, { price, asOf }: { price: number | null; asOf: number | null }, hidden: readonly number[], decimals: number): void {
        const drawing = this.#drawing;
        if (this.#host.hidden || drawing === null) return;
        const { view } = drawing;
        const gap = this.#opened === '' ? REFRESH_MS : REFRESH_OPENED_MS;
        if (this.#askedFor === undefined) this.#askedFor = asOf;
        if (asOf !== this.#askedFor && Date.now() - this.#askedAt > gap) {
            this.#askedFor = asOf;
            void this.#fetch();
        }
        const barsMax = Math.max(BARS_MIN, view.size().width / BAR_PX_MIN);
        const fetched = this.#levels;
        const all = fetched === null || price === null ? fetched : { ...fetched, currentPrice: price };
        this.#map = all === null ? null : drawing.leverageMap(all, this.#info?.baseBin ?? 1, barsMax, hidden);
        this.#decimals = decimals;
        view.show(this.#map, theme, decimals);
    }

    /** The leverages there are; none before the first answer. */
    leverages(): readonly number[] {
        return this.#map?.leverages ?? [];
    }

    /** Null before it is drawn for the first time. */
    canvas(): HTMLCanvasElement | null {
        return this.#drawing?.view.canvas ?? null;
    }

    async #load(): Promise<void> {
        if (this.#drawing !== null || this.#isLoading) return;
        this.#isLoading = true;
        try {
            const [{ MapView }, { leverageMap }] = await Promise.all([
                import('../render/map-view.ts'),
                import('../model/liquidation-map.ts'),
            ]);
            const view = new MapView(this.#host, (bin, at) => this.#point(bin, at), this.#request);
            this.#drawing = { view, leverageMap };
            this.#request();
        } catch {
            // Like an answer that does not come: the next attempt is that of the levels.
            this.#failed('its code could not be loaded');
            this.#retry = setTimeout(() => void this.#load(), RETRY_MS);
        } finally {
            this.#isLoading = false;
        }
    }

    async #fetch(): Promise<void> {
        const info = this.#info;
        if (info === null) return;
        this.#abort.abort();
        this.#abort = new AbortController();
        this.#askedAt = Date.now();
        const { signal } = this.#abort;
        try {
            const within = this.#opened === '' ? {} : { timeframe: this.#opened };
            const levels = await this.#api.levels({ symbol: info.symbol, ...within }, signal);
            if (signal.aborted) return;
            this.#levels = levels;
            this.#failed(null);
            this.#request();
        } catch (error) {
            if (signal.aborted) return;
            if (this.#levels === null) this.#failed(error instanceof Error ? error.message : String(error));
            this.#retry = setTimeout(() => void this.#fetch(), RETRY_MS);
        }
    }

    #point(bin: MapBin | null, at: { x: number; y: number }): void {
        const map = this.#map;
        const drawing = this.#drawing;
        if (bin === null || map === null || drawing === null) {
            this.#tooltip.hide();
            return;
        }
        const decimals = this.#decimals;
        const rows: Row[] = [['Distance', signedPercent((bin.price + map.bin / 2) / map.price - 1)]];
        map.leverages.forEach((leverage, index) => {
            const usd = bin.usd[index] ?? 0;
            if (usd > 0) rows.push([`${leverage}x`, `$${compactUsd(usd)}`]);
        });
        rows.push([bin.side === 'long' ? 'Longs here' : 'Shorts here', `$${compactUsd(bin.total)}`, bin.side]);
        rows.push(['From the price to here', `$${compactUsd(bin.cumulative)}`]);
        const caption = `${formatPrice(bin.price, decimals)} – ${formatPrice(bin.price + map.bin, decimals)}`;
        this.#tooltip.show(at, drawing.view.size(), caption, rows);
    }
}
