/** Settings of lightweight-charts for the page's themes, price axes and time zones. */
import {
    type CandlestickSeriesPartialOptions,
    type ChartOptions,
    ColorType,
    CrosshairMode,
    type DeepPartial,
    PriceScaleMode,
    TickMarkType,
    type Time,
} from 'lightweight-charts';
import { calendar, formatHours, formatTime, type Zone } from '../model/format.ts';
import { AXIS_PX_MIN } from '../model/room.ts';
import type { Axis } from '../state/view.ts';
import type { ChartColours } from './theme.ts';

export const AXIS_MODES: Record<Axis, PriceScaleMode> = {
    linear: PriceScaleMode.Normal,
    log: PriceScaleMode.Logarithmic,
    percent: PriceScaleMode.Percentage,
};

/** What stays the same as long as the chart is there. */
export function fixedOptions(container: HTMLElement): DeepPartial<ChartOptions> {
    return {
        width: container.clientWidth,
        height: container.clientHeight,
        layout: { attributionLogo: false, fontSize: 11, fontFamily: getComputedStyle(container).fontFamily },
        crosshair: { mode: CrosshairMode.Normal },
        timeScale: { timeVisible: true, secondsVisible: false, minBarSpacing: 0.05, rightOffset: 0 },
        rightPriceScale: { scaleMargins: { top: 0, bottom: 0 }, minimumWidth: AXIS_PX_MIN, entireTextOnly: true },
        localization: { locale: 'en-GB' },
        handleScale: { axisPressedMouseMove: { time: true, price: true } },
        // A picture that comes while the chart rolls on would stop it at another place.
        kineticScroll: { touch: false, mouse: false },
    };
}

export function themeOptions(colours: ChartColours): DeepPartial<ChartOptions> {
    const cross = { color: colours.crosshair, labelBackgroundColor: colours.crosshairLabel };
    return {
        layout: {
            background: { type: ColorType.Solid, color: colours.background },
            textColor: colours.text,
            panes: { separatorColor: colours.border, separatorHoverColor: colours.crosshair },
        },
        grid: { vertLines: { color: colours.grid }, horzLines: { color: colours.grid } },
        rightPriceScale: { borderColor: colours.border },
        timeScale: { borderColor: colours.border },
        crosshair: { vertLine: cross, horzLine: cross },
    };
}

export function candleOptions({ up, down }: ChartColours): CandlestickSeriesPartialOptions {
    return { upColor: up, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down };
}

export function zoneOptions(zone: Zone): DeepPartial<ChartOptions> {
    return {
        localization: { timeFormatter: (time: Time) => formatTime(Number(time) * 1000, zone) },
        timeScale: { tickMarkFormatter: (time: Time, kind: TickMarkType) => tickLabel(Number(time) * 1000, kind, zone) },
    };
}

/** The chart chooses its ticks in UTC; elsewhere a day begins at another tick, which is written as the day there. */
function tickLabel(ms: number, kind: TickMarkType, zone: Zone): string {
    const time = calendar(ms, zone);
    const isMidnight = time.hours === 0 && time.minutes === 0;
    if (zone === 'local') return isMidnight ? `${time.day} ${time.month}` : formatHours(time);
    switch (kind) {
        case TickMarkType.Year:
            return String(time.year);
        case TickMarkType.Month:
            return time.month;
        case TickMarkType.DayOfMonth:
            return `${time.day} ${time.month}`;
        default:
            return formatHours(time);
    }
}
