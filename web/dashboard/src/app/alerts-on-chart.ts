/** Alerts and the chart: set from a point of it, shown in it, and fed with its price. */
import type { Market } from '../data/market.ts';
import type { Draft } from '../model/alert-draft.ts';
import { estimateOf } from '../model/venues.ts';
import type { HeatChart } from '../render/chart.ts';
import type { View } from '../state/view.ts';
import type { Alerts } from './alerts.ts';
import type { Painter } from './painter.ts';

export interface AlertContext {
    alerts: Alerts;
    chart: HeatChart;
    market: Market;
    painter: Painter;
    view(): View;
    /** Shows the panel of alerts with a new one. */
    propose(draft: Draft): void;
    toast(why: string): void;
}

export class AlertsOnChart {
    readonly #context: AlertContext;

    constructor(context: AlertContext) {
        this.#context = context;
    }

    set(draft: Draft): void {
        if (!this.#context.view().embedded) this.#context.propose(draft);
    }

    /** Begins one at a price that somebody has pointed at. */
    async setAt(price: number): Promise<void> {
        const { alerts, painter, view, toast } = this.#context;
        if (view().embedded) return;
        try {
            const alerting = await alerts.load();
            this.set(alerting.draftAt(view().symbol, price, painter.state()));
        } catch {
            toast('Alerts could not be loaded; try again when the server is back.');
        }
    }

    /** What a new one begins with: where one points, or the price now. */
    proposal(): Draft | null {
        const { alerts, chart, painter, view } = this.#context;
        const state = painter.state();
        const price = chart.pointed()?.price ?? state?.price ?? null;
        return price === null ? null : (alerts.loaded()?.draftAt(view().symbol, price, state) ?? null);
    }

    /** There is a newer state of this symbol. */
    moved(symbol: string): void {
        const { alerts, market } = this.#context;
        const alerting = alerts.loaded();
        if (alerting === null) return;
        alerting.feed.due();
        const price = market.edge()?.snapshot.data.current_price ?? null;
        if (price !== null) alerting.prices.observe(estimateOf(symbol), price);
    }
}
