/** Lines across the chart at a price: the price now, one that was chosen in a panel, and those that an alert waits for. */
import { type IPriceLine, type ISeriesApi, LineStyle } from 'lightweight-charts';

export interface LineColours {
    priceLine: string;
    background: string;
    text: string;
    crosshair: string;
}

export class PriceLines {
    readonly #series: ISeriesApi<'Candlestick'>;
    readonly #now: IPriceLine;
    #mark: IPriceLine | null = null;
    #alerts: IPriceLine[] = [];
    #alertsKey = '';
    #colours: LineColours = { priceLine: '', background: '', text: '', crosshair: '' };

    constructor(series: ISeriesApi<'Candlestick'>) {
        this.#series = series;
        this.#now = series.createPriceLine({
            price: 0,
            lineWidth: 1,
            lineStyle: LineStyle.Dashed,
            axisLabelVisible: false,
            lineVisible: false,
        });
    }

    style(colours: LineColours): void {
        this.#colours = colours;
        const { priceLine, background, text, crosshair } = colours;
        this.#now.applyOptions({ color: priceLine, axisLabelColor: priceLine, axisLabelTextColor: background });
        this.#mark?.applyOptions({ color: text });
        for (const line of this.#alerts) line.applyOptions({ color: crosshair });
    }

    /** Null hides it. */
    now(price: number | null): void {
        if (price === null) this.#now.applyOptions({ lineVisible: false, axisLabelVisible: false });
        else this.#now.applyOptions({ price, lineVisible: true, axisLabelVisible: true });
    }

    /** Null takes it away. */
    mark(price: number | null, title: string): void {
        if (this.#mark !== null) this.#series.removePriceLine(this.#mark);
        this.#mark = null;
        if (price === null) return;
        this.#mark = this.#series.createPriceLine({
            price,
            title,
            color: this.#colours.text,
            lineWidth: 1,
            lineStyle: LineStyle.Dotted,
            axisLabelVisible: true,
        });
    }

    /** Exactly these. */
    alerts(prices: readonly number[]): void {
        const key = prices.join();
        if (key === this.#alertsKey) return;
        this.#alertsKey = key;
        for (const line of this.#alerts) this.#series.removePriceLine(line);
        this.#alerts = prices.map((price) =>
            this.#series.createPriceLine({
                price,
                title: 'alert',
                color: this.#colours.crosshair,
                lineWidth: 1,
                lineStyle: LineStyle.LargeDashed,
                axisLabelVisible: true,
            }),
        );
    }
}
