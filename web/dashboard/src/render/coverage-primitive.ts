/** A strip along the time axis: how much of each side's open interest was measured, a lane a side. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Candles } from '../model/candles.ts';
import type { Coverage } from '../model/coverage.ts';
import { ChartPrimitive } from './chart-primitive.ts';

export interface CoverageStyle {
    /** `#rrggbb`. */
    ground: string;
    text: string;
    long: string;
    short: string;
}

const LANE_PX = 8;
const GAP_PX = 2;
/** A share is drawn over this much; columns are seldom narrower, and a pan stays cheap. */
const STEP_PX = 4;
const WORDS = 'Share of open interest measured';
/** Narrower pictures have no room for words. */
const WORDS_PX = 420;

export class CoveragePrimitive extends ChartPrimitive<CoverageStyle> {
    #candles: Candles | null = null;
    #coverage: Coverage | null = null;
    /** Where the picture ends. */
    #end = 0;

    constructor() {
        super('bottom', { ground: '#000000', text: '#888888', long: '#00f', short: '#f80' });
    }

    show(candles: Candles | null): void {
        this.#candles = candles;
        this.redraw();
    }

    /** Null of an estimate, which has no strip. */
    covered(coverage: Coverage | null, end: number): void {
        this.#coverage = coverage;
        this.#end = end;
        this.redraw();
    }

    draw(target: CanvasRenderingTarget2D): void {
        const candles = this.#candles;
        const coverage = this.#coverage;
        const axis = this.axis();
        if (candles === null || coverage === null || axis === null) return;
        target.useBitmapCoordinateSpace(({ context, bitmapSize, mediaSize, horizontalPixelRatio: rx, verticalPixelRatio: ry }) => {
            const { ground, text, long, short } = this.colours;
            const right = Math.min(mediaSize.width, 0.5 + axis.x(candles.logical(this.#end)));
            if (right <= 0) return;
            const lane = Math.round(LANE_PX * ry);
            const bottoms = { long: bitmapSize.height - lane - Math.round(GAP_PX * ry), short: bitmapSize.height };
            context.save();
            context.globalAlpha = 0.75;
            context.fillStyle = ground;
            context.fillRect(0, bottoms.long - lane, Math.round(right * rx), bitmapSize.height - bottoms.long + lane);
            context.globalAlpha = 1;
            for (const [side, colour] of [
                ['long', long],
                ['short', short],
            ] as const) {
                // What is missing up to all of it.
                context.globalAlpha = 0.14;
                context.fillStyle = text;
                context.fillRect(0, bottoms[side] - lane, Math.round(right * rx), lane);
                context.globalAlpha = 1;
                context.fillStyle = colour;
                for (let x = 0; x < right; x += STEP_PX) {
                    const share = coverage.at(candles.timeAt(axis.bar(x)))?.[side] ?? 0;
                    // A part that is too small to see is still there.
                    const height = share === 0 ? 0 : Math.max(ry, Math.min(1, share) * lane);
                    context.fillRect(x * rx, bottoms[side] - height, Math.min(STEP_PX, right - x) * rx, height);
                }
            }
            if (right > WORDS_PX) {
                context.font = `${Math.round(11 * ry)}px system-ui, sans-serif`;
                context.textBaseline = 'middle';
                const { width } = context.measureText(WORDS);
                const middle = bottoms.long - lane - 12 * ry;
                context.globalAlpha = 0.75;
                context.fillStyle = ground;
                context.fillRect(0, middle - 9 * ry, width + 16 * rx, 18 * ry);
                context.globalAlpha = 1;
                context.fillStyle = text;
                context.fillText(WORDS, 8 * rx, middle);
            }
            context.restore();
        });
    }
}
