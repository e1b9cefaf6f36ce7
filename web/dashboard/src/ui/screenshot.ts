/** The picture as a PNG with its caption: what a trader pastes into a chat. */

import type { Theme } from '../model/view.ts';
import { chartColours } from '../render/theme.ts';

const CAPTION_PX = 34;

export function compose(picture: HTMLCanvasElement, title: string, detail: string, theme: Theme): HTMLCanvasElement {
    const ratio = window.devicePixelRatio;
    const colours = chartColours(theme);
    const canvas = document.createElement('canvas');
    canvas.width = picture.width;
    canvas.height = picture.height + CAPTION_PX * ratio;
    const context = canvas.getContext('2d');
    if (context === null) throw new Error('this browser gives no 2d canvas');
    context.fillStyle = colours.background;
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(picture, 0, CAPTION_PX * ratio);
    context.scale(ratio, ratio);
    const font = getComputedStyle(document.body).fontFamily;
    context.textBaseline = 'middle';
    context.fillStyle = colours.priceLine;
    context.font = `600 14px ${font}`;
    context.fillText(title, 12, CAPTION_PX / 2);
    const after = 12 + context.measureText(title).width + 12;
    context.fillStyle = colours.text;
    context.font = `12px ${font}`;
    context.fillText(detail, after, CAPTION_PX / 2);
    return canvas;
}

export function save(canvas: HTMLCanvasElement, name: string): void {
    canvas.toBlob((blob) => {
        if (blob === null) return;
        const address = URL.createObjectURL(blob);
        const link = document.createElement('a');
        link.href = address;
        link.download = name;
        link.click();
        URL.revokeObjectURL(address);
    }, 'image/png');
}
