/** The logarithmic steps a cell's byte stands for, both ways, and the sum of two of them. */

export const STEPS = 256;
const NONE_BELOW_USD = 0.5;

export class Steps {
    readonly usdMin: number;
    readonly usdMax: number;
    readonly #perStep: number;
    readonly #usd = new Float64Array(STEPS);
    #sums: Uint8Array | null = null;

    /** # Throws `RangeError` unless 0 < usdMin <= usdMax. */
    constructor(usdMin: number, usdMax: number) {
        if (!(usdMin > 0 && usdMax >= usdMin)) throw new RangeError(`steps need 0 < ${usdMin} <= ${usdMax}`);
        this.usdMin = usdMin;
        this.usdMax = usdMax;
        this.#perStep = Math.log(usdMax / usdMin) / (STEPS - 2);
        for (let q = 1; q < STEPS; q++) this.#usd[q] = usdMin * Math.exp(this.#perStep * (q - 1));
    }

    usd(q: number): number {
        return this.#usd[q] ?? 0;
    }

    /** The nearest step, as the server rounds: none below half a dollar, the smallest or largest outside the scale. */
    step(usd: number): number {
        if (!(usd >= NONE_BELOW_USD)) return 0;
        if (this.#perStep === 0) return STEPS - 1;
        const q = 1 + Math.round(Math.log(usd / this.usdMin) / this.#perStep);
        return Math.min(STEPS - 1, Math.max(1, q));
    }

    /** The step of a share (0 to 1) of a step's amount. */
    part(q: number, share: number): number {
        if (q === 0 || share >= 1) return q;
        if (!((this.#usd[q] ?? 0) * share >= NONE_BELOW_USD)) return 0;
        if (this.#perStep === 0) return q;
        return Math.max(1, Math.round(q + Math.log(share) / this.#perStep));
    }

    /** Step of the sum of two steps' amounts, for index `long << 8 | short`. */
    sums(): Uint8Array {
        if (this.#sums !== null) return this.#sums;
        const sums = new Uint8Array(STEPS * STEPS);
        for (let a = 0; a < STEPS; a++) {
            for (let b = 0; b <= a; b++) {
                const sum = b === 0 ? a : this.step(this.usd(a) + this.usd(b));
                sums[(a << 8) | b] = sum;
                sums[(b << 8) | a] = sum;
            }
        }
        this.#sums = sums;
        return sums;
    }
}
