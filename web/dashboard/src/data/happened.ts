/** The liquidations of one symbol that the socket has brought, oldest first: what no answer of before can hold. */
import type { LiquidationsFrame } from 'liqheat-client';
import type { Liquidation } from '../wire/answers.ts';

const ROWS_MAX = 2_000;

export class Happened {
    #rows: readonly Liquidation[] = [];
    #isHeard = false;

    rows(): readonly Liquidation[] {
        return this.#rows;
    }

    /** Whether the server sends them: one that does not know the channel, or a token that does not allow it, brings none. */
    get isHeard(): boolean {
        return this.#isHeard;
    }

    /** Another symbol is followed. */
    reset(): void {
        this.#rows = [];
        this.#isHeard = false;
    }

    /** Takes what came; false where rows may be missing or repeated, so that they are better read again. */
    take({ data, missed = 0, reset = false }: LiquidationsFrame): boolean {
        this.#isHeard = true;
        const rows = data.map(({ timestamp, venue, side, price, usd }) => ({ time: Date.parse(timestamp), venue, side, price, usd }));
        const isWhole = !reset && missed === 0;
        this.#rows = [...(isWhole ? this.#rows : []), ...rows.filter(({ time }) => Number.isFinite(time))].slice(-ROWS_MAX);
        return isWhole;
    }
}
