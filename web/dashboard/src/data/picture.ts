/** A picture and the candles over it, and what is known of how far they reach. */
import { Candles } from '../model/candles.ts';
import { Coverage } from '../model/coverage.ts';
import { Heat } from '../model/heat.ts';
import { intervalMs } from '../model/ranges.ts';
import type { Candle } from '../wire/answers.ts';
import type { Grid } from '../wire/grid.ts';

export class Picture {
    readonly heat: Heat;
    readonly candles: Candles;
    /** Of measured positions; null of an estimate. */
    readonly coverage: Coverage | null;
    readonly interval: string;
    /** Reaches up to now, and grows with the market. */
    readonly isLive: boolean;
    /** Open time of the newest candle that came from the server. */
    correctedTo: number;
    /** Columns were painted that no state was seen for. */
    isPatched = false;

    /** `span`: what the candles' axis covers at least. */
    constructor(grid: Grid, candles: readonly Candle[], interval: string, span: { from: number; to: number }, isLive: boolean) {
        this.heat = new Heat(grid);
        this.coverage = Coverage.of(grid);
        this.candles = new Candles(candles, intervalMs(interval), span.from, span.to);
        this.interval = interval;
        this.isLive = isLive;
        this.correctedTo = candles.at(-1)?.time ?? 0;
    }
}
