/** The panes under the chart: volume with its delta, open interest, funding, liquidations. They share its time axis and its cross. */
import {
    HistogramSeries,
    type IChartApi,
    type ISeriesApi,
    LineSeries,
    type Time,
    type UTCTimestamp,
    type WhitespaceData,
} from 'lightweight-charts';
import { compactUsd } from '../model/format.ts';
import { hasStudy, STUDIES, type Study, type StudyPoint } from '../model/studies.ts';
import type { Theme } from '../state/view.ts';
import { chartColours } from './theme.ts';

const NAMES: Record<Study, string> = {
    volume: 'Volume · CVD',
    open_interest: 'Open interest',
    funding: 'Funding',
    liquidations: 'Liquidations',
};
/** Height of the picture for one of a pane. */
const CHART_PARTS = 5;
const PERCENT_DIGITS = 4;

type Line = ISeriesApi<'Line'> | ISeriesApi<'Histogram'>;
type Point = { time: UTCTimestamp; value: number; color?: string } | WhitespaceData<Time>;

function compact(value: number): string {
    return `${value < 0 ? '−' : ''}${compactUsd(Math.abs(value)).replace('$', '')}`;
}

export class Studies {
    readonly #chart: IChartApi;
    readonly #host: HTMLElement;
    #shown: readonly Study[] = [];
    #lines: { study: Study; line: Line; value(point: StudyPoint): number | null; colour(point: StudyPoint): string | undefined }[] = [];
    readonly #labels = new Map<Study, HTMLElement>();
    #points: readonly StudyPoint[] = [];
    #byTime = new Map<number, StudyPoint>();
    #theme: Theme = 'dark';
    #failure: string | null = null;
    /** Panes are laid out in a frame of the library's own, and by whoever drags the line between two. */
    readonly #heights = new ResizeObserver(() => this.#place());
    #watching = 0;

    constructor(chart: IChartApi, host: HTMLElement) {
        this.#chart = chart;
        this.#host = host;
    }

    /** Shows the panes of these studies. */
    choose(wanted: readonly Study[], theme: Theme): void {
        const list = STUDIES.filter((study) => wanted.includes(study));
        if (list.join() === this.#shown.join() && theme === this.#theme) return;
        for (const { line } of this.#lines) this.#chart.removeSeries(line);
        for (let pane = this.#chart.panes().length - 1; pane > 0; pane--) this.#chart.removePane(pane);
        for (const label of this.#labels.values()) label.remove();
        this.#labels.clear();
        this.#lines = [];
        this.#shown = list;
        this.#theme = theme;
        list.forEach((study, at) => {
            this.#add(study, at + 1);
            const label = document.createElement('div');
            label.className = 'study';
            this.#labels.set(study, label);
            this.#host.append(label);
        });
        this.#chart.panes().forEach((pane, at) => {
            pane.setStretchFactor(at === 0 ? CHART_PARTS : 1);
        });
        this.#fill();
        this.#watch();
    }

    destroy(): void {
        cancelAnimationFrame(this.#watching);
        this.#heights.disconnect();
    }

    /** The library makes the panes in the next frame, which it has asked for before. */
    #watch(): void {
        this.#heights.disconnect();
        cancelAnimationFrame(this.#watching);
        if (this.#shown.length === 0) return;
        this.#watching = requestAnimationFrame(() => {
            for (const pane of this.#chart.panes()) {
                const element = pane.getHTMLElement();
                if (element !== null) this.#heights.observe(element);
            }
        });
    }

    /** Null where the points are all there are. */
    show(points: readonly StudyPoint[], failure: string | null): void {
        this.#points = points;
        this.#failure = failure;
        this.#byTime = new Map(points.map((point) => [point.time, point]));
        this.#fill();
        this.tell(null);
    }

    /** Puts the names where the panes are now. */
    #place(): void {
        let top = 0;
        this.#chart.panes().forEach((pane, at) => {
            const label = at === 0 ? undefined : this.#labels.get(this.#shown[at - 1] ?? 'volume');
            if (label !== undefined) label.style.top = `${top + 4}px`;
            // The line between two panes.
            top += pane.getHeight() + 1;
        });
    }

    /** Says the values at a time; the newest ones for null. */
    tell(time: number | null): void {
        for (const [study, label] of this.#labels) {
            // The newest interval has only begun; the newest that says something is shown.
            const point = time === null ? this.#points.findLast((each) => hasStudy([each], study)) : this.#byTime.get(time);
            const says =
                this.#failure ?? (hasStudy(this.#points, study) ? (point === undefined ? '' : readingOf(study, point)) : nothing(study));
            label.textContent = `${NAMES[study]}  ${says}`;
        }
    }

    #add(study: Study, pane: number): void {
        const colours = chartColours(this.#theme);
        const histogram = (
            value: (point: StudyPoint) => number | null,
            colour: (point: StudyPoint) => string,
            format: (value: number) => string,
        ): void => {
            const line = this.#chart.addSeries(
                HistogramSeries,
                { priceLineVisible: false, lastValueVisible: false, priceFormat: { type: 'custom', formatter: format, minMove: 1e-8 } },
                pane,
            );
            this.#lines.push({ study, line, value, colour });
        };
        const line = (
            value: (point: StudyPoint) => number | null,
            color: string,
            format: (value: number) => string,
            scale?: string,
        ): void => {
            const made = this.#chart.addSeries(
                LineSeries,
                {
                    color,
                    lineWidth: 1,
                    priceLineVisible: false,
                    lastValueVisible: false,
                    crosshairMarkerRadius: 2,
                    priceFormat: { type: 'custom', formatter: format, minMove: 1e-8 },
                    ...(scale === undefined ? {} : { priceScaleId: scale }),
                },
                pane,
            );
            this.#lines.push({ study, line: made, value, colour: () => undefined });
        };
        const percent = (value: number): string => `${value.toFixed(PERCENT_DIGITS)} %`;
        switch (study) {
            case 'volume':
                histogram(
                    ({ volume }) => volume,
                    () => colours.volume,
                    compact,
                );
                // On a scale of its own, which has no axis.
                line(({ cvd }) => cvd, colours.short, compact, 'cvd');
                return;
            case 'open_interest':
                return line(({ openInterest }) => openInterest, colours.long, compact);
            case 'funding':
                return histogram(
                    ({ funding }) => funding,
                    ({ funding }) => ((funding ?? 0) < 0 ? colours.down : colours.up),
                    percent,
                );
            case 'liquidations':
                histogram(
                    ({ longUsd }) => (longUsd > 0 ? -longUsd : null),
                    () => colours.down,
                    compact,
                );
                return histogram(
                    ({ shortUsd }) => (shortUsd > 0 ? shortUsd : null),
                    () => colours.up,
                    compact,
                );
        }
    }

    #fill(): void {
        for (const { line, value, colour } of this.#lines) {
            const data = this.#points.map((point): Point => {
                const time = (point.time / 1000) as UTCTimestamp;
                const amount = value(point);
                if (amount === null) return { time };
                const color = colour(point);
                return color === undefined ? { time, value: amount } : { time, value: amount, color };
            });
            (line as ISeriesApi<'Histogram'>).setData(data as Parameters<ISeriesApi<'Histogram'>['setData']>[0]);
        }
    }
}

function nothing(study: Study): string {
    return study === 'liquidations' ? 'none in this time' : 'not stored for this time';
}

function readingOf(study: Study, { volume, cvd, openInterest, funding, longUsd, shortUsd }: StudyPoint): string {
    const or = (value: number | null, text: (value: number) => string): string => (value === null ? '–' : text(value));
    switch (study) {
        case 'volume':
            return cvd === null ? or(volume, compact) : `${or(volume, compact)} · ${compact(cvd)}`;
        case 'open_interest':
            return or(openInterest, compact);
        case 'funding':
            return or(funding, (value) => `${value.toFixed(PERCENT_DIGITS)} %`);
        case 'liquidations':
            return `long $${compactUsd(longUsd)} · short $${compactUsd(shortUsd)}`;
    }
}
