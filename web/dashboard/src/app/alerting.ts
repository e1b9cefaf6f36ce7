/** Alerts of the server and prices of the page: which notice each raises, and where a click leads. */
import { AlertFeed } from '../data/alerts.ts';
import { PriceWatch } from '../data/price-watch.ts';
import { type Draft, draftAt, draftOf } from '../model/alert-draft.ts';
import { alertPrice, alertWords, KIND_NAMES } from '../model/alert-words.ts';
import { formatPrice, priceDecimals, type Zone } from '../model/format.ts';
import type { PriceAlert } from '../model/price-alerts.ts';
import { estimateOf, isLayer } from '../model/venues.ts';
import { wallsOf } from '../model/walls.ts';
import type { Api } from '../transport/api.ts';
import { Alarm } from '../ui/alarm.ts';
import type { RaisedAlert } from '../wire/alerts.ts';
import type { ShownState } from './painter.ts';

/** After a pause of the network many may come at once; the panel has all of them. */
const RINGS_MAX = 3;
/** How far from the price a wall is looked for at a point of the chart, as a share of the price. */
const WALLS_REACH = 0.5;

export interface AlertingEvents {
    changed(): void;
    /** Shows what an alert was about. */
    open(symbol: string, price: number | null, title: string): void;
    zone(): Zone;
    /** Whether states arrive by themselves. */
    isPushed(): boolean;
}

export class Alerting {
    readonly alarm = new Alarm();
    readonly feed: AlertFeed;
    readonly prices: PriceWatch;
    readonly #events: AlertingEvents;

    constructor(api: Api, events: AlertingEvents) {
        this.#events = events;
        this.feed = new AlertFeed(api, {
            changed: () => events.changed(),
            isPushed: () => events.isPushed(),
            raised: (alerts) => this.#raised(alerts),
        });
        this.prices = new PriceWatch((alert) => this.#reached(alert));
    }

    start(): void {
        void this.feed.refresh();
    }

    /** About the wall at a price, or the price. */
    draftAt(symbol: string, price: number, state: ShownState | null): Draft {
        // A rule watches estimates; of measured positions the page can watch the price.
        if (isLayer(symbol)) return draftOf('price', estimateOf(symbol), { price });
        const walls = state?.price == null ? [] : wallsOf(state.levels, state.price, { reach: WALLS_REACH, bin: state.bin });
        return draftAt(symbol, price, walls);
    }

    #raised(alerts: readonly RaisedAlert[]): void {
        for (const alert of alerts.slice(-RINGS_MAX)) {
            const { symbol, subject } = alert;
            this.alarm.ring({
                title: symbol,
                text: alertWords(alert, this.#events.zone()),
                open: () => this.#events.open(symbol, alertPrice(alert), KIND_NAMES[subject.kind]),
            });
        }
    }

    #reached({ symbol, price }: PriceAlert): void {
        const text = `reached ${formatPrice(price, priceDecimals(price))}`;
        this.alarm.ring({ title: symbol, text, open: () => this.#events.open(symbol, price, 'Price reached') });
        this.#events.changed();
    }
}
