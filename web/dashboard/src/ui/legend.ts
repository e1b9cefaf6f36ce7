/** The colour bar: maximum on top, amounts beside it, and the threshold as a slider on the bar itself. */
import { compactUsd, tersestUsd } from '../model/format.ts';
import { colourAt, opacityAt, splitColourAt } from '../render/colours.ts';
import { type ScaleInput, usdAt } from '../render/palette.ts';
import { type DrawnView, THRESHOLD_MAX } from '../state/view.ts';
import { element } from './dom.ts';

type Look = Pick<DrawnView, 'scale' | 'colours' | 'threshold' | 'theme' | 'side'>;

const RAMP_STEPS = 128;
const MARKS = [0.75, 0.5, 0.25];

/** The colour scale as it can be drawn elsewhere: the ramp upright, amounts at its ends and beside it. */
export interface Ramp {
    canvas: HTMLCanvasElement;
    top: string;
    bottom: string;
    marks: readonly { share: number; text: string }[];
}

export class Legend {
    readonly #canvas = element('canvas', { width: 1, height: 1 });
    readonly #cut = element('div', { className: 'cut' });
    readonly #slider = element('input', { type: 'range', min: '0', max: String(THRESHOLD_MAX), step: '0.01' });
    readonly #top = element('div', { className: 'end top-end' });
    readonly #bottom = element('div', { className: 'end' });
    readonly #marks = MARKS.map(() => element('span', { className: 'mark' }));
    readonly #narrow = window.matchMedia('(max-width: 720px)');
    #last: [Look, ScaleInput | null] | null = null;

    constructor(host: HTMLElement, onThreshold: (threshold: number) => void) {
        this.#slider.setAttribute('aria-label', 'Liquidity threshold');
        this.#slider.addEventListener('input', () => onThreshold(Number(this.#slider.value)));
        const ramp = element('div', { className: 'ramp' }, this.#canvas, this.#cut, ...this.#marks, this.#slider);
        host.append(this.#top, ramp, this.#bottom);
        this.#narrow.addEventListener('change', () => {
            if (this.#last !== null) this.show(...this.#last);
        });
    }

    show(look: Look, scale: ScaleInput | null): void {
        this.#last = [look, scale];
        paintRamp(this.#canvas, look, !this.#narrow.matches);
        this.#slider.value = String(look.threshold);
        const cut = `${look.threshold * 100}%`;
        this.#cut.style.height = this.#narrow.matches ? '' : cut;
        this.#cut.style.width = this.#narrow.matches ? cut : '';
        const known = scale !== null && scale.peak > 0;
        this.#top.textContent = known ? compactUsd(usdAt(look.scale, scale, 1)) : '';
        const from = known ? usdAt(look.scale, scale, Math.max(look.threshold, 1e-6)) : 0;
        this.#bottom.textContent = known ? tersestUsd(look.threshold > 0 || look.scale === 'log' ? from : 0) : '';
        this.#slider.setAttribute('aria-valuetext', known ? `hides less than ${tersestUsd(from)} dollars` : 'no data');
        this.#marks.forEach((mark, i) => {
            const share = MARKS[i] ?? 0;
            mark.style.bottom = `${share * 100}%`;
            mark.textContent = known ? tersestUsd(usdAt(look.scale, scale, share)) : '';
        });
    }

    /** Null before the first picture. */
    ramp(): Ramp | null {
        if (this.#last === null || this.#last[1] === null) return null;
        const canvas = element('canvas', { width: 1, height: 1 });
        paintRamp(canvas, this.#last[0], true);
        const marks = this.#marks.map((mark, at) => ({ share: MARKS[at] ?? 0, text: mark.textContent }));
        return { canvas, top: this.#top.textContent, bottom: this.#bottom.textContent, marks };
    }
}

function paintRamp(canvas: HTMLCanvasElement, look: Look, upright: boolean): void {
    const split = look.side === 'split';
    const across = split ? 2 : 1;
    canvas.width = upright ? across : RAMP_STEPS;
    canvas.height = upright ? RAMP_STEPS : across;
    const context = canvas.getContext('2d');
    if (context === null) return;
    for (let step = 0; step < RAMP_STEPS; step++) {
        const share = step / (RAMP_STEPS - 1);
        for (let lane = 0; lane < across; lane++) {
            const [red, green, blue] = split
                ? splitColourAt(lane === 0 ? 'long' : 'short', look.theme, share)
                : colourAt(look.colours, look.theme, share);
            context.fillStyle = `rgb(${red} ${green} ${blue} / ${opacityAt(share, look.theme)})`;
            if (upright) context.fillRect(lane, RAMP_STEPS - 1 - step, 1, 1);
            else context.fillRect(step, lane, 1, 1);
        }
    }
}
