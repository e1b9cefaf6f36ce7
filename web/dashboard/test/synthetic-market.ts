/**
 * A made-up market for tests of the page: a seeded random walk whose traders leave liquidation levels behind, which the price
 * eats when it gets there. It looks like the real thing and means nothing.
 */

/** Small, seeded, and the same everywhere (mulberry32). */
class Random {
    #state: number;

    constructor(state: number) {
        this.#state = state >>> 0;
    }

    /** One that goes on from here by itself. */
    copy(): Random {
        return new Random(this.#state);
    }

    next(): number {
        this.#state = (this.#state + 0x6d2b79f5) >>> 0;
        const state = this.#state;
        let t = Math.imul(state ^ (state >>> 15), state | 1);
        t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
        return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    }
}

/** Numbers from 0 up to 1. */
export function seeded(seed: number): () => number {
    const random = new Random(seed);
    return () => random.next();
}

export interface Step {
    time: number;
    open: number;
    high: number;
    low: number;
    close: number;
    volume: number;
    created: number;
    consumed: number;
    levels: readonly Level[];
}

export interface Level {
    price: number;
    long: number;
    short: number;
}

export interface Happened {
    time: number;
    side: 'long' | 'short';
    price: number;
    usd: number;
}

const LEVERAGES = [5, 10, 25, 50, 100];
const LEVERAGE_SHARES = [0.18, 0.28, 0.27, 0.17, 0.1];
const MASS_DECAY = 0.9992;
const SPREAD_BINS = 4;

export interface MarketOptions {
    seed: number;
    price: number;
    bin: number;
    start: number;
    stepMs: number;
    /** How many there are before the first `advance`. */
    steps: number;
    coins?: number;
}

/** Some thousand steps take a second, and every test begins with the same ones. */
const BEGUN = new Map<string, SyntheticMarket>();

export class SyntheticMarket {
    readonly symbol: string;
    readonly stepMs: number;
    readonly bin: number;
    readonly steps: Step[] = [];
    readonly happened: Happened[] = [];
    #random: Random;
    #cells = new Map<number, { long: number; short: number }>();
    #price: number;
    readonly #anchor: number;
    readonly #coins: number;
    #mood = 0;
    #time: number;

    constructor(symbol: string, options: MarketOptions) {
        this.symbol = symbol;
        this.stepMs = options.stepMs;
        this.bin = options.bin;
        this.#random = new Random(options.seed);
        this.#price = options.price;
        this.#anchor = options.price;
        this.#coins = options.coins ?? 1;
        this.#time = options.start;
        for (let n = 0; n < options.steps; n++) this.advance();
    }

    /** The market of these options; the second one is a copy of what the first one began as. */
    static of(symbol: string, options: MarketOptions): SyntheticMarket {
        const key = JSON.stringify([symbol, options]);
        const begun = BEGUN.get(key) ?? new SyntheticMarket(symbol, options);
        BEGUN.set(key, begun);
        const market = new SyntheticMarket(symbol, { ...options, steps: 0 });
        market.steps.push(...begun.steps);
        market.happened.push(...begun.happened);
        market.#cells = new Map([...begun.#cells].map(([index, cell]) => [index, { ...cell }]));
        market.#random = begun.#random.copy();
        market.#price = begun.#price;
        market.#mood = begun.#mood;
        market.#time = begun.#time;
        return market;
    }

    newest(): Step {
        const step = this.steps.at(-1);
        if (step === undefined) throw new Error('the market has not begun');
        return step;
    }

    /** Time of the newest event: the end of the newest step. */
    asOf(): number {
        return this.#time;
    }

    advance(): Step {
        const scale = Math.sqrt(this.stepMs / 60_000);
        if (this.#random.next() < 0.004 * scale) this.#mood = (this.#random.next() - 0.5) * 0.0016;
        this.#mood *= 0.95;
        const open = this.#price;
        const pull = 0.0004 * (1 - open / this.#anchor) * scale;
        const close = open * (1 + pull + this.#mood * scale + this.#gauss() * 0.0006 * scale);
        const high = Math.max(open, close) * (1 + Math.abs(this.#gauss()) * 0.0004 * scale);
        const low = Math.min(open, close) * (1 - Math.abs(this.#gauss()) * 0.0004 * scale);
        const volume = (20 + 400 * Math.abs(close / open - 1) * 100) * (0.5 + this.#random.next()) * this.#coins;
        const consumed = this.#eat(low, high);
        const created = this.#open(close, volume * close * 2);
        this.#price = close;
        const levels = [...this.#cells]
            .map(([index, cell]) => ({
                price: Number((index * this.bin).toFixed(8)),
                long: Math.round(cell.long),
                short: Math.round(cell.short),
            }))
            .filter((level) => level.long + level.short > 500)
            .sort((a, b) => a.price - b.price);
        const step = { time: this.#time, open, high, low, close, volume, created, consumed, levels };
        this.steps.push(step);
        this.#time += this.stepMs;
        return step;
    }

    #gauss(): number {
        return Math.sqrt(-2 * Math.log(1 - this.#random.next())) * Math.cos(2 * Math.PI * this.#random.next());
    }

    #eat(low: number, high: number): number {
        let consumed = 0;
        const lowest = Math.floor(low / this.bin);
        const highest = Math.floor(high / this.bin);
        for (const [index, cell] of this.#cells) {
            cell.long *= MASS_DECAY;
            cell.short *= MASS_DECAY;
            if (index >= lowest && cell.long > 0) consumed += this.#liquidate('long', index, cell);
            if (index <= highest && cell.short > 0) consumed += this.#liquidate('short', index, cell);
            if (cell.long + cell.short < 100) this.#cells.delete(index);
        }
        return consumed;
    }

    #liquidate(side: 'long' | 'short', index: number, cell: { long: number; short: number }): number {
        const usd = cell[side];
        cell[side] = 0;
        if (usd < 200_000) return 1;
        const time = this.#time + Math.floor(this.#random.next() * this.stepMs);
        this.happened.push({ time, side, price: (index + 0.5) * this.bin, usd: usd * (0.1 + 0.4 * this.#random.next()) });
        return 1;
    }

    #open(price: number, usd: number): number {
        const burst = this.#random.next() < 0.03 ? 14 : this.#random.next() < 0.5 ? 0.15 : 1;
        let created = 0;
        LEVERAGES.forEach((leverage, i) => {
            const mass = usd * burst * (LEVERAGE_SHARES[i] ?? 0);
            const entry = price * (1 + this.#gauss() * 0.0008);
            this.#spread('long', entry * (1 - 0.92 / leverage), mass * (0.3 + 0.7 * this.#random.next()), price);
            this.#spread('short', entry * (1 + 0.92 / leverage), mass * (0.3 + 0.7 * this.#random.next()), price);
            created += 2;
        });
        return created;
    }

    #spread(side: 'long' | 'short', level: number, mass: number, price: number): void {
        const middle = level / this.bin;
        const width = 0.35 + this.#random.next() * 1.2;
        for (let index = Math.floor(middle) - SPREAD_BINS; index <= middle + SPREAD_BINS; index++) {
            const inside = side === 'long' ? (index + 1) * this.bin < price : index * this.bin > price;
            if (!inside) continue;
            const weight = Math.exp(-(((index + 0.5 - middle) / width) ** 2)) / (width * 1.77);
            const cell = this.#cells.get(index) ?? { long: 0, short: 0 };
            cell[side] += mass * weight;
            this.#cells.set(index, cell);
        }
    }
}
