/** The picture as a PNG with its caption and colour scale: what a trader pastes into a chat. */
import { chartColours } from '../render/theme.ts';
import type { Theme } from '../state/view.ts';
import type { Ramp } from '../ui/legend.ts';

const CAPTION_PX = 34;
const RAMP_PX = 64;

export interface Caption {
    title: string;
    detail: string;
    theme: Theme;
    /** The colour scale; null where the picture has none. */
    ramp: Ramp | null;
}

export function compose(picture: HTMLCanvasElement, { title, detail, theme, ramp }: Caption): HTMLCanvasElement {
    const ratio = window.devicePixelRatio;
    const colours = chartColours(theme);
    const canvas = document.createElement('canvas');
    const left = ramp === null ? 0 : RAMP_PX;
    canvas.width = picture.width + left * ratio;
    canvas.height = picture.height + CAPTION_PX * ratio;
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('this browser gives no 2d canvas');
    context.fillStyle = colours.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, left * ratio, CAPTION_PX * ratio);
    context.scale(ratio, ratio);
    const font = getComputedStyle(document.body).fontFamily;
    context.textBaseline = 'middle';
    context.fillStyle = colours.priceLine;
    context.font = `600 14px ${font}`;
    context.fillText(title, 12, CAPTION_PX / 2);
    const after = 12 + context.measureText(title).width + 12;
    context.fillStyle = colours.text;
    context.font = `12px ${font}`;
    context.fillText(detail, after, CAPTION_PX / 2, canvas.width / ratio - after - 12);
    if (ramp === null) return canvas;
    const top = CAPTION_PX + 22;
    const height = canvas.height / ratio - top - 48;
    context.imageSmoothingEnabled = false;
    context.drawImage(ramp.canvas, 12, top, 14, height);
    context.font = `11px ${font}`;
    context.fillText(ramp.top, 12, top - 11, RAMP_PX - 14);
    context.fillText(ramp.bottom, 12, top + height + 11, RAMP_PX - 14);
    for (const { share, text } of ramp.marks) context.fillText(text, 30, top + height * (1 - share), RAMP_PX - 32);
    return canvas;
}

export function save(blob: Blob, name: string): void {
    const address = URL.createObjectURL(blob);
    const link = document.createElement('a');
    link.href = address;
    link.download = name;
    link.click();
    URL.revokeObjectURL(address);
}
