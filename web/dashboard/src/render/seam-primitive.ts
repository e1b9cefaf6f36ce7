/** Lines where venues joined the sum that is shown, with their names. */
import type { CanvasRenderingTarget2D } from 'fancy-canvas';
import type { Candles } from '../model/candles.ts';
import type { Seam } from '../model/seams.ts';
import { ChartPrimitive } from './chart-primitive.ts';

export interface SeamStyle {
    ground: string;
    line: string;
    text: string;
}

const DASH_PX = 3;
const TOP_PX = 8;
const HEIGHT_PX = 18;
const PADDING_PX = 5;

export function seamName({ venues }: Seam): string {
    return `${venues.join(', ')} from here on`;
}

export class SeamPrimitive extends ChartPrimitive<SeamStyle> {
    #candles: Candles | null = null;
    #seams: readonly Seam[] = [];

    constructor() {
        super('bottom', { ground: '#000', line: '#888', text: '#ccc' });
    }

    show(candles: Candles | null): void {
        this.#candles = candles;
        this.redraw();
    }

    seams(seams: readonly Seam[]): void {
        this.#seams = seams;
        this.redraw();
    }

    draw(target: CanvasRenderingTarget2D): void {
        const candles = this.#candles;
        const axis = this.axis();
        if (candles === null || axis === null || this.#seams.length === 0) return;
        target.useBitmapCoordinateSpace(({ context, bitmapSize, horizontalPixelRatio: rx, verticalPixelRatio: ry }) => {
            context.save();
            context.lineWidth = Math.max(1, Math.round(rx));
            context.setLineDash([DASH_PX * ry, DASH_PX * ry]);
            context.font = `${Math.round(11 * ry)}px system-ui, sans-serif`;
            context.textBaseline = 'middle';
            for (const seam of this.#seams) {
                const x = Math.round((0.5 + axis.x(candles.logical(seam.time))) * rx);
                if (x < 0 || x > bitmapSize.width) continue;
                context.strokeStyle = this.colours.line;
                context.beginPath();
                context.moveTo(x + 0.5, 0);
                context.lineTo(x + 0.5, bitmapSize.height);
                context.stroke();
                const words = seamName(seam);
                const width = context.measureText(words).width + 2 * PADDING_PX * rx;
                // Beside the line, on the side that has room.
                const left = x + width + 2 * rx < bitmapSize.width ? x + 2 * rx : x - width - 2 * rx;
                context.fillStyle = this.colours.ground;
                context.fillRect(left, TOP_PX * ry, width, HEIGHT_PX * ry);
                context.fillStyle = this.colours.text;
                context.fillText(words, left + PADDING_PX * rx, (TOP_PX + HEIGHT_PX / 2) * ry);
            }
            context.restore();
        });
    }
}
