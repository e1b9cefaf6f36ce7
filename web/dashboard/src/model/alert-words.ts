/** Rules and alerts in words. */
import type { AlertRule, RaisedAlert, RuleKind } from '../wire/alerts.ts';
import { formatAge, formatPrice, formatTime, priceDecimals, tersestUsd, type Zone } from './format.ts';

export const KIND_NAMES: Record<RuleKind, string> = {
    near_wall: 'Price near a wall',
    wall_swept: 'Wall swept',
    liquidation: 'Liquidation',
    cascade: 'Many liquidations',
    wall_formed: 'New wall',
    wall_vanished: 'Wall gone untouched',
    feed_stale: 'No market data',
};

function usd(amount: number): string {
    return `$${tersestUsd(amount)}`;
}

function percent(value: number): string {
    return `${Number(Math.abs(value).toFixed(2))} %`;
}

/** A whole number of its largest unit: "90 s", "5 min", "2 h". */
export function secondsWords(seconds: number): string {
    if (seconds % 3600 === 0) return `${seconds / 3600} h`;
    return seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
}

/** What a rule waits for: "within 0.5 % of a wall of $50M or more". */
export function ruleWords({ fields }: Pick<AlertRule, 'fields'>): string {
    const side = fields.side === 'long' || fields.side === 'short' ? `${fields.side} ` : '';
    const least = `${usd(fields.min_usd ?? 0)} or more`;
    const within = fields.within_pct ?? 10;
    switch (fields.kind) {
        case 'near_wall':
            return `price within ${percent(within)} of a ${side}wall of ${least}`;
        case 'wall_swept':
            return `price through a ${side}wall of ${least}`;
        case 'liquidation':
            return `one ${side}liquidation of ${least}`;
        case 'cascade':
            return `${side}liquidations of ${least} within ${secondsWords(fields.window_s ?? 300)}`;
        case 'wall_formed':
            return `new ${side}wall of ${least} within ${percent(within)}`;
        case 'wall_vanished':
            return `${side}wall of ${least} within ${percent(within)} gone untouched`;
        case 'feed_stale':
            return `no market data for ${secondsWords(fields.after_s ?? 60)}`;
    }
}

/** What a rule is about: "BTCUSDT, ETHUSDT", or "every symbol". */
export function scopeWords({ fields }: Pick<AlertRule, 'fields'>): string {
    const symbols = fields.symbols ?? [];
    return symbols.length === 0 ? 'every symbol' : symbols.join(', ');
}

function price(value: number): string {
    return formatPrice(value, priceDecimals(value));
}

/** One sentence about what happened, without the symbol. */
export function alertWords({ subject, count, totalUsd }: Pick<RaisedAlert, 'subject' | 'count' | 'totalUsd'>, zone: Zone): string {
    const more = count > 1 ? ` (${count} of them, ${usd(totalUsd)} together)` : '';
    switch (subject.kind) {
        case 'near_wall': {
            const { wall, distance_pct } = subject;
            const where = distance_pct === 0 ? 'in' : `${percent(distance_pct)} ${distance_pct < 0 ? 'above' : 'below'}`;
            return `Price ${where} a ${wall.side} wall of ${usd(wall.usd)} at ${price(wall.low)} – ${price(wall.high)}${more}`;
        }
        case 'wall_swept': {
            const { wall, liquidated } = subject;
            const taken = liquidated == null ? 'no liquidations are known' : `${usd(liquidated.usd)} liquidated there`;
            return `Price went through a ${wall.side} wall of ${usd(wall.usd)} at ${price(wall.low)} – ${price(wall.high)}; ${taken}${more}`;
        }
        case 'liquidation':
            return `${subject.side === 'long' ? 'Long' : 'Short'} of ${usd(subject.usd)} liquidated at ${price(subject.price)} on ${subject.venue}${more}`;
        case 'cascade': {
            const { long, short, window_s } = subject;
            return `${usd(long.usd + short.usd)} liquidated within ${secondsWords(window_s)}: longs ${usd(long.usd)}, shorts ${usd(short.usd)}`;
        }
        case 'wall_formed':
            return `New ${subject.wall.side} wall of ${usd(subject.wall.usd)} ${percent(subject.distance_pct)} away, at ${price(subject.wall.low)} – ${price(subject.wall.high)}${more}`;
        case 'wall_vanished':
            return `${subject.wall.side === 'long' ? 'Long' : 'Short'} wall of ${usd(subject.wall.usd)} at ${price(subject.wall.low)} – ${price(subject.wall.high)} is gone untouched${more}`;
        case 'feed_stale':
            return `No market data since ${formatTime(Date.parse(subject.as_of), zone)}`;
    }
}

/** The price that an alert is about, to show in the chart; null for one about no price. */
export function alertPrice({ subject, price: then }: Pick<RaisedAlert, 'subject' | 'price'>): number | null {
    if (subject.kind === 'feed_stale') return null;
    if ('wall' in subject) return (subject.wall.low + subject.wall.high) / 2;
    return subject.kind === 'liquidation' ? subject.price : then;
}

/** How long a rule stays silent after an alert about a symbol. */
export function cooldownWords({ fields }: Pick<AlertRule, 'fields'>): string {
    return formatAge((fields.cooldown_s ?? 300) * 1000);
}
