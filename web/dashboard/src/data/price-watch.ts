/** Keeps the page's own price alerts in the browser, and compares them with the prices that come. */
import { afterPrice, type PriceAlert, priceAlertsOf, toggled } from '../model/price-alerts.ts';
import { load, save } from '../transport/stored.ts';

const STORED = 'liqheat.price_alerts';
const ALERTS_MAX = 100;

export class PriceWatch {
    readonly #reached: (alert: PriceAlert) => void;
    #alerts: readonly PriceAlert[] = priceAlertsOf(load(STORED));
    readonly #last = new Map<string, number>();

    constructor(reached: (alert: PriceAlert) => void) {
        this.#reached = reached;
    }

    all(): readonly PriceAlert[] {
        return this.#alerts;
    }

    /** Prices that are waited for. */
    waiting(symbol: string): number[] {
        return this.#alerts
            .filter((alert) => alert.symbol === symbol && !alert.paused && alert.reachedAt === null)
            .map(({ price }) => price);
    }

    add(symbol: string, price: number): void {
        const alert = { id: `${Date.now()}-${Math.random().toString(36).slice(2)}`, symbol, price, paused: false, reachedAt: null };
        this.#keep([alert, ...this.#alerts].slice(0, ALERTS_MAX));
    }

    remove(id: string): void {
        this.#keep(this.#alerts.filter((alert) => alert.id !== id));
    }

    toggle(id: string): void {
        this.#keep(toggled(this.#alerts, id));
    }

    /** The price of a symbol now; the same one again changes nothing. */
    observe(symbol: string, price: number): void {
        const before = this.#last.get(symbol);
        if (before === price) return;
        this.#last.set(symbol, price);
        const { alerts, reached } = afterPrice(this.#alerts, { symbol, before, price, now: Date.now() });
        if (reached.length === 0) return;
        this.#keep(alerts);
        for (const alert of reached) this.#reached(alert);
    }

    #keep(alerts: readonly PriceAlert[]): void {
        this.#alerts = alerts;
        save(STORED, JSON.stringify(alerts));
    }
}
