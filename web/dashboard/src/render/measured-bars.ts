/** Bars by price: measured positions to the left, the estimate of the same venue to the right, prices between them. */
import { formatPrice, tersestUsd } from '../model/format.ts';
import { type BarRow, type MeasuredBars, rowWords, type SidedUsd, sidesWords } from '../model/measured.ts';

const SVG = 'http://www.w3.org/2000/svg';
const WIDTH = 320;
/** Room between the two sides, for prices. */
const MIDDLE = 66;
const SIDE_WIDTH = (WIDTH - MIDDLE) / 2;
const HEAD = 18;
const FOOT = 18;
const ROWS_HEIGHT = 240;
const LABEL_GAP = 12;
const PRICES = 6;

type Part = 'measured' | 'estimated';

function svg(tag: string, attributes: Record<string, string | number>, ...children: (Node | string)[]): SVGElement {
    const made = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, String(value));
    made.append(...children);
    return made;
}

function label(x: number, y: number, anchor: 'start' | 'middle' | 'end', text: string, fill = 'var(--muted)'): SVGElement {
    return svg('text', { x, y, 'text-anchor': anchor, 'font-size': 10.5, fill }, text);
}

/** Colours are those of the style sheet, so another theme needs no drawing. `reachText`: how far from the price the rows are. */
export function drawMeasuredBars(bars: MeasuredBars, decimals: number, reachText: string): SVGElement {
    const { rows, bin, price, largest } = bars;
    const rowHeight = ROWS_HEIGHT / rows.length;
    const low = rows[0]?.price ?? 0;
    const y = (at: number): number => HEAD + ROWS_HEIGHT - ((at - low) / bin) * rowHeight;
    const shares = (usd: SidedUsd): [side: 'long' | 'short', width: number][] =>
        (['long', 'short'] as const).map((side) => [side, largest === 0 ? 0 : (usd[side] / largest) * SIDE_WIDTH]);
    const half = (row: BarRow, part: Part): SVGElement[] => {
        let from = 0;
        return shares(row[part]).flatMap(([side, width]) => {
            if (width === 0) return [];
            const x = part === 'measured' ? SIDE_WIDTH - from - width : SIDE_WIDTH + MIDDLE + from;
            from += width;
            const [top, height] = [y(row.price + bin), Math.max(1, rowHeight - 1)];
            return [svg('rect', { x, y: top, width, height, fill: `var(--${side})`, opacity: part === 'measured' ? 1 : 0.55 })];
        });
    };
    const drawn = rows.map((row) =>
        svg(
            'g',
            {},
            svg('title', {}, rowWords(row, bars, decimals)),
            svg('rect', { x: 0, y: y(row.price + bin), width: WIDTH, height: rowHeight, fill: 'transparent' }),
            ...half(row, 'measured'),
            ...half(row, 'estimated'),
        ),
    );
    const at = y(price);
    const every = Math.max(1, Math.round(rows.length / PRICES));
    const prices = rows
        .filter((row, index) => index > 0 && index % every === 0 && Math.abs(y(row.price) - at) > LABEL_GAP)
        .map((row) => label(WIDTH / 2, y(row.price) + 3, 'middle', formatPrice(row.price, decimals)));
    const axis = (x: number): SVGElement => svg('line', { x1: x, x2: x, y1: HEAD, y2: HEAD + ROWS_HEIGHT, stroke: 'var(--line)' });
    const line = { y1: at, y2: at, stroke: 'var(--text)', 'stroke-dasharray': '3 3' };
    const bottom = HEAD + ROWS_HEIGHT + 13;
    const scale = `$${tersestUsd(largest)}`;
    const beside = bars.hasEstimate ? `; estimate: ${sidesWords(bars.estimated)}` : '';
    const picture = svg(
        'svg',
        {
            viewBox: `0 0 ${WIDTH} ${HEAD + ROWS_HEIGHT + FOOT}`,
            width: '100%',
            role: 'img',
            'aria-label': `Liquidation levels ${reachText}. Measured: ${sidesWords(bars.measured)}${beside}`,
        },
        label(SIDE_WIDTH, 11, 'end', 'Measured', 'var(--text)'),
        label(SIDE_WIDTH + MIDDLE, 11, 'start', bars.hasEstimate ? 'Estimate' : 'No estimate', 'var(--text)'),
        axis(SIDE_WIDTH),
        axis(SIDE_WIDTH + MIDDLE),
        ...drawn,
        ...prices,
        svg('line', { x1: 0, x2: SIDE_WIDTH, ...line }),
        svg('line', { x1: SIDE_WIDTH + MIDDLE, x2: WIDTH, ...line }),
        label(WIDTH / 2, at + 3, 'middle', formatPrice(price, decimals), 'var(--text)'),
        label(0, bottom, 'start', scale),
        label(WIDTH / 2 - 5, bottom, 'end', 'longs', 'var(--long)'),
        label(WIDTH / 2 + 5, bottom, 'start', 'shorts', 'var(--short)'),
        label(WIDTH, bottom, 'end', scale),
    );
    // Wider than this the letters would be large.
    picture.style.maxWidth = '420px';
    return picture;
}
