/**
 * The state of one symbol as this client holds it, and the only code that changes it.
 *
 * Invariant: after `applied`, the cells are the server's at (`epoch`, `seq`), and if the frame carried a hash, ours is equal
 * to it. `duplicate` and `gap` leave the board as it was. `mismatch` leaves the frame's cells in place but no position, so that
 * nothing can be built on them: the next difference is a gap, and only a snapshot mends it.
 */
import type { DeltaFrame, HeatmapData, Horizon, Level, ResumePoint, SnapshotFrame } from '../wire/frames.ts';
import { StateHash } from '../wire/hash.ts';

export type Outcome =
    | { kind: 'applied' }
    /** The state we have already: only the transport changed, or the same frame came twice. */
    | { kind: 'duplicate' }
    /** The difference starts from a state we do not have. */
    | { kind: 'gap'; have: ResumePoint | null; from: number }
    | { kind: 'mismatch'; at: ResumePoint; want: string; got: string };

interface Cell {
    long: number;
    short: number;
}

export class Board {
    readonly symbol: string;
    #cells = new Map<number, Cell>();
    #hash = new StateHash();
    #position: ResumePoint | null = null;
    #timestamp = '';
    #id: string | undefined;
    #expectedWithin: Horizon | undefined;
    #numbers: Omit<HeatmapData, 'levels'> = { current_price: null, positions_created: 0, positions_consumed: 0 };
    #sorted: Level[] | null = [];
    #empty = true;

    constructor(symbol: string) {
        this.symbol = symbol;
    }

    /** Where this state stands in the server's history; null while there is none to resume from. */
    position(): ResumePoint | null {
        return this.#position;
    }

    hash(): string {
        return this.#hash.text();
    }

    /** The whole state in the form of a snapshot message, or null before the first. */
    snapshot(): SnapshotFrame | null {
        if (this.#empty) return null;
        const frame: SnapshotFrame = {
            type: 'snapshot',
            symbol: this.symbol,
            timestamp: this.#timestamp,
            hash: this.#hash.text(),
            data: { ...this.#numbers, levels: this.#levels() },
        };
        if (this.#id !== undefined) frame.id = this.#id;
        if (this.#expectedWithin !== undefined) frame.expected_within = this.#expectedWithin;
        if (this.#position !== null) Object.assign(frame, this.#position);
        return frame;
    }

    applySnapshot(frame: SnapshotFrame): Outcome {
        const next = positionOf(frame);
        if (next !== null && same(next, this.#position)) return { kind: 'duplicate' };
        this.#clear();
        for (const level of frame.data.levels) this.#set(level);
        return this.#settle(frame, next);
    }

    applyDelta(frame: DeltaFrame): Outcome {
        const have = this.#position;
        const next: ResumePoint = { epoch: frame.epoch, seq: frame.seq };
        if (have === null || have.epoch !== frame.epoch || have.seq < frame.from) {
            return { kind: 'gap', have, from: frame.from };
        }
        // A difference from further back is as good, because values are absolute; one that leads nowhere new is old.
        if (have.seq >= frame.seq) return { kind: 'duplicate' };
        for (const level of frame.data.levels) this.#set(level);
        return this.#settle(frame, next);
    }

    /** Back to the time before the first snapshot. */
    forget(): void {
        this.#clear();
    }

    #settle(frame: SnapshotFrame | DeltaFrame, next: ResumePoint | null): Outcome {
        this.#position = next;
        this.#timestamp = frame.timestamp;
        this.#id = frame.id;
        this.#expectedWithin = frame.expected_within;
        this.#empty = false;
        const { current_price, positions_created, positions_consumed } = frame.data;
        this.#numbers = { current_price, positions_created, positions_consumed };
        const got = this.#hash.text();
        if (frame.hash === undefined || frame.hash === got) return { kind: 'applied' };
        const at = next ?? { epoch: '', seq: 0 };
        this.#position = null;
        return { kind: 'mismatch', at, want: frame.hash, got };
    }

    #set({ price, long_density: long, short_density: short }: Level): void {
        const old = this.#cells.get(price);
        if (old !== undefined) this.#hash.remove(price, old.long, old.short);
        if (long === 0 && short === 0) this.#cells.delete(price);
        else this.#cells.set(price, { long, short });
        this.#hash.add(price, long, short);
        this.#sorted = null;
    }

    #levels(): Level[] {
        this.#sorted ??= [...this.#cells]
            .sort(([a], [b]) => a - b)
            .map(([price, cell]) => ({ price, long_density: cell.long, short_density: cell.short }));
        return this.#sorted;
    }

    #clear(): void {
        this.#cells.clear();
        this.#hash.reset();
        this.#position = null;
        this.#sorted = null;
        this.#empty = true;
    }
}

function positionOf(frame: SnapshotFrame): ResumePoint | null {
    return frame.epoch === undefined || frame.seq === undefined ? null : { epoch: frame.epoch, seq: frame.seq };
}

function same(a: ResumePoint, b: ResumePoint | null): boolean {
    return b !== null && a.epoch === b.epoch && a.seq === b.seq;
}
