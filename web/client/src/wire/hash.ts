/**
 * The hash of a whole board state, as each frame carries it.
 *
 * It is a sum over the cells, so it does not depend on their order and can be moved along by a changed cell alone: take the
 * old cell's mix away, add the new one's. Two independent 32-bit lanes make 64 bits without BigInt. The server computes the
 * same numbers; the golden file of the wire crate holds both sides to it.
 */

interface Lane {
    readonly seed: number;
    readonly multiplier: number;
}

const LANE_A: Lane = { seed: 0x9747b28c, multiplier: 0x85ebca6b };
const LANE_B: Lane = { seed: 0x3c6ef372, multiplier: 0xcc9e2d51 };
const FINAL_MULTIPLIER = 0xc2b2ae35;
const TWO_POW_32 = 4294967296;
/** Prices are hashed as whole numbers of this fraction, the server's own unit. */
const PRICE_UNITS = 1e8;

function step(hash: number, word: number, multiplier: number): number {
    const product = Math.imul(hash ^ word, multiplier);
    return (product << 13) | (product >>> 19);
}

function number(hash: number, value: number, multiplier: number): number {
    const low = value % TWO_POW_32;
    const high = Math.floor(value / TWO_POW_32);
    return step(step(hash, low | 0, multiplier), high | 0, multiplier);
}

function mix(lane: Lane, price: number, long: number, short: number): number {
    let hash = lane.seed | 0;
    hash = number(hash, price, lane.multiplier);
    hash = number(hash, long, lane.multiplier);
    hash = number(hash, short, lane.multiplier);
    hash ^= hash >>> 16;
    hash = Math.imul(hash, FINAL_MULTIPLIER);
    return hash ^ (hash >>> 16);
}

function hex(lane: number): string {
    return (lane >>> 0).toString(16).padStart(8, '0');
}

/** A running hash; a cell with no mass on either side counts as absent. */
export class StateHash {
    #laneA = 0;
    #laneB = 0;

    add(price: number, long: number, short: number): void {
        this.#move(price, long, short, 1);
    }

    remove(price: number, long: number, short: number): void {
        this.#move(price, long, short, -1);
    }

    reset(): void {
        this.#laneA = 0;
        this.#laneB = 0;
    }

    text(): string {
        return hex(this.#laneA) + hex(this.#laneB);
    }

    #move(price: number, long: number, short: number, sign: 1 | -1): void {
        if (long === 0 && short === 0) return;
        const units = Math.round(price * PRICE_UNITS);
        this.#laneA = (this.#laneA + sign * mix(LANE_A, units, long, short)) | 0;
        this.#laneB = (this.#laneB + sign * mix(LANE_B, units, long, short)) | 0;
    }
}
