/** What is beneath the picture: hatching where the server has no data, with the words, and a lighter one where data is on its way. */
import type { BitmapCoordinatesRenderingScope, CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Candles } from '../model/candles.ts';
import { calendar } from '../model/format.ts';
import { holesOf } from '../model/holes.ts';
import type { Stretch } from '../model/tile-plan.ts';
import { ChartPrimitive } from './chart-primitive.ts';

export interface GroundStyle {
    line: string;
    text: string;
    ground: string;
}

const HATCH_PX = 9;
/** Narrower stretches have no room for words. */
const WORDS_PX = 90;
const DAY_MS = 86_400_000;

function day(ms: number): string {
    const { day, month, year } = calendar(ms, 'utc');
    return `${day} ${month} ${year}`;
}

/** What a stretch without data is called; `what` it lacks. */
export function holeName({ from, to }: Stretch, what = 'No data'): string {
    const [first, last] = [day(from), day(to - 1)];
    if (to - from < DAY_MS)
        return `${what} for ${to - from < 3_600_000 ? `${Math.round((to - from) / 60_000)} min` : `${Math.round((to - from) / 3_600_000)} h`}`;
    return first === last ? `${what} on ${first}` : `${what} ${first} to ${last}`;
}

export class GroundPrimitive extends ChartPrimitive<GroundStyle> {
    #candles: Candles | null = null;
    #holes: readonly Stretch[] = [];
    /** Of measured positions. */
    #unmeasured: readonly Stretch[] = [];
    #first = 0;
    #now = 0;

    constructor() {
        super('bottom', { line: '#333', text: '#888', ground: '#000' });
    }

    show(candles: Candles | null): void {
        this.#candles = candles;
        this.#holes = candles === null ? [] : holesOf(candles);
        this.redraw();
    }

    /** Stretches in which no positions were measured. */
    unmeasured(stretches: readonly Stretch[]): void {
        this.#unmeasured = stretches;
        this.redraw();
    }

    /** The server has data from here to there. */
    reach(first: number, now: number): void {
        if (first === this.#first && now === this.#now) return;
        this.#first = first;
        this.#now = now;
        this.redraw();
    }

    draw(target: CanvasRenderingTarget2D): void {
        const candles = this.#candles;
        const axis = this.axis();
        if (candles === null || axis === null) return;
        const x = (time: number): number => 0.5 + axis.x(candles.logical(time));
        target.useBitmapCoordinateSpace((scope) => {
            const { width } = scope.mediaSize;
            if (this.#first > 0) {
                const first = x(this.#first);
                if (first > 0) this.#hatch(scope, 0, first, `No data before ${day(this.#first)}`, 1);
                const loaded = x(Math.max(candles.first, this.#first));
                if (loaded > Math.max(0, first) + 1) this.#hatch(scope, Math.max(0, first), loaded, 'Loading', 0.45);
                const end = candles.last() + candles.intervalMs;
                if (end < this.#now - candles.intervalMs && x(end) < width)
                    this.#hatch(scope, x(end), Math.min(width, x(this.#now)), 'Loading', 0.45);
            }
            const hatch = (hole: Stretch, words: string): void => {
                const [from, to] = [x(hole.from), x(hole.to)];
                if (to > 0 && from < width) this.#hatch(scope, from, to, words, 1);
            };
            for (const hole of this.#holes) hatch(hole, holeName(hole));
            for (const hole of this.#unmeasured) hatch(hole, holeName(hole, 'Nothing measured'));
        });
    }

    #hatch(
        { context, bitmapSize, horizontalPixelRatio: rx, verticalPixelRatio: ry }: BitmapCoordinatesRenderingScope,
        from: number,
        to: number,
        words: string,
        opacity: number,
    ): void {
        const left = Math.max(0, Math.round(from * rx));
        const right = Math.min(bitmapSize.width, Math.round(to * rx));
        const { height } = bitmapSize;
        if (right - left < 2) return;
        context.save();
        context.globalAlpha = opacity;
        context.beginPath();
        context.rect(left, 0, right - left, height);
        context.clip();
        context.strokeStyle = this.colours.line;
        context.lineWidth = Math.max(1, Math.round(rx));
        const step = HATCH_PX * rx;
        context.beginPath();
        // Fixed to the screen's corner, so that hatching stands still while the picture moves over it.
        for (let at = Math.floor((left - height) / step) * step; at < right; at += step) {
            context.moveTo(at, height);
            context.lineTo(at + height, 0);
        }
        context.stroke();
        if (right - left > WORDS_PX * rx) {
            context.globalAlpha = 1;
            context.font = `${Math.round(11 * ry)}px system-ui, sans-serif`;
            context.textAlign = 'right';
            context.textBaseline = 'middle';
            const { width } = context.measureText(words);
            if (width + 24 * rx < right - left) {
                // At its end: the model bridges the first hours of a hole, and the picture covers them.
                const end = right - 12 * rx;
                context.fillStyle = this.colours.ground;
                context.fillRect(end - width - 6 * rx, height * 0.1 - 10 * ry, width + 12 * rx, 20 * ry);
                context.fillStyle = this.colours.text;
                context.fillText(words, end, height * 0.1);
            }
        }
        context.restore();
    }
}
