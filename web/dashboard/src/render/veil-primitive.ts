/** Fades the picture where the model assumes most of the positions in it, so that a guess does not look like a finding. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Candles } from '../model/candles.ts';
import { ChartPrimitive } from './chart-primitive.ts';

export interface VeilStyle {
    /** `#rrggbb`. */
    ground: string;
    text: string;
}

/** Opacity of the veil where everything is assumed; it begins where more than this share is. */
const OPACITY_MAX = 0.68;
export const ASSUMED_SHOWN = 0.25;
/** The share changes slowly, and all at once only where the model begins anew. */
const STOPS = 64;
/** Narrower veils have no room for words. */
const WORDS_PX = 170;
const WORDS = 'Mostly assumed positions';
const MOSTLY = 0.5;

/** 0..1, of an assumed part of 0..1. */
export function veilOpacity(assumed: number): number {
    return assumed <= ASSUMED_SHOWN ? 0 : (OPACITY_MAX * (assumed - ASSUMED_SHOWN)) / (1 - ASSUMED_SHOWN);
}

/** A share as two digits of a colour. */
function hexByte(share: number): string {
    return Math.round(share * 255)
        .toString(16)
        .padStart(2, '0');
}

export class VeilPrimitive extends ChartPrimitive<VeilStyle> {
    #candles: Candles | null = null;
    #assumedAt: (time: number) => number = () => 0;
    #first = 0;
    #now = 0;

    constructor() {
        super('bottom', { ground: '#000000', text: '#888888' });
    }

    show(candles: Candles | null): void {
        this.#candles = candles;
        this.redraw();
    }

    /** `assumedAt`: the assumed part of the positions at a time, 0..1. */
    assumed(assumedAt: (time: number) => number): void {
        this.#assumedAt = assumedAt;
        this.redraw();
    }

    /** The server has data from here to there. */
    reach(first: number, now: number): void {
        this.#first = first;
        this.#now = now;
    }

    draw(target: CanvasRenderingTarget2D): void {
        const candles = this.#candles;
        const axis = this.axis();
        if (candles === null || axis === null) return;
        const x = (time: number): number => 0.5 + axis.x(candles.logical(time));
        target.useBitmapCoordinateSpace(({ context, bitmapSize, mediaSize, horizontalPixelRatio: rx, verticalPixelRatio: ry }) => {
            const left = Math.max(0, x(this.#first));
            const right = Math.min(mediaSize.width, x(this.#now));
            if (right <= left) return;
            const shares = Array.from({ length: STOPS + 1 }, (_, at) =>
                this.#assumedAt(candles.timeAt(axis.bar(left + ((right - left) * at) / STOPS))),
            );
            // A step earlier, so that the first hours of a model that begins anew are not between two steps.
            const assumed = shares.map((share, at) => Math.max(share, shares[at + 1] ?? 0));
            // Nothing right of the last stop that fades anything.
            const last = assumed.findLastIndex((share) => veilOpacity(share) > 0);
            if (last < 0) return;
            const end = left + ((right - left) * Math.min(STOPS, last + 1)) / STOPS;
            const gradient = context.createLinearGradient(left * rx, 0, right * rx, 0);
            assumed.forEach((share, at) => {
                gradient.addColorStop(at / STOPS, `${this.colours.ground}${hexByte(veilOpacity(share))}`);
            });
            context.save();
            context.fillStyle = gradient;
            context.fillRect(Math.round(left * rx), 0, Math.round((end - left) * rx), bitmapSize.height);
            // Of the first stretch: what follows looks the same.
            const begin = assumed.findIndex((share) => share >= MOSTLY);
            const after = assumed.findIndex((share, at) => at > begin && share < MOSTLY);
            const stop = (right - left) / STOPS;
            const from = left + begin * stop;
            if (begin >= 0 && ((after < 0 ? STOPS : after) - begin) * stop > WORDS_PX) {
                context.font = `${Math.round(11 * ry)}px system-ui, sans-serif`;
                context.textBaseline = 'middle';
                const { width } = context.measureText(WORDS);
                context.fillStyle = this.colours.ground;
                context.fillRect((from + 4) * rx, bitmapSize.height - 26 * ry, width + 12 * rx, 20 * ry);
                context.fillStyle = this.colours.text;
                context.fillText(WORDS, (from + 10) * rx, bitmapSize.height - 16 * ry);
            }
            context.restore();
        });
    }
}
