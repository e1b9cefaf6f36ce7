/** The line on top: price, change, the nearest heavy levels, and how far all of it can be trusted. */

import { compactUsd, formatPrice, signedPercent } from '../model/format.ts';
import type { Badge } from '../model/freshness.ts';
import type { SideFilter } from '../model/heat.ts';
import type { Cluster, Clusters } from '../model/quote.ts';
import { byId, element } from './dom.ts';

export class Header {
    readonly #quote = byId('quote', HTMLElement);
    readonly #clusters = byId('clusters', HTMLElement);
    readonly #badge = byId('badge', HTMLElement);

    /** Nothing is known of the symbol yet. */
    clear(symbol: string): void {
        this.#quote.replaceChildren();
        this.#clusters.replaceChildren();
        document.title = symbol === '' ? 'liqheat' : `${symbol} · liqheat`;
    }

    /** `before`: the price the change is counted from, that of the picture's first candle; `decimals`: of the market's prices. */
    price(symbol: string, price: number, before: number, range: string, decimals: number): void {
        const change = price / before - 1;
        this.#quote.replaceChildren(
            element('b', { textContent: formatPrice(price, decimals) }),
            element('span', { className: change >= 0 ? 'up' : 'down', textContent: signedPercent(change) }),
            element('span', { textContent: range }),
        );
        document.title = `${formatPrice(price, decimals)} ${symbol} · liqheat`;
    }

    clusters({ long, short }: Clusters, side: SideFilter, decimals: number): void {
        this.#clusters.replaceChildren(
            ...(side === 'short' ? [] : clusterWords('long', 'Longs below', long, decimals)),
            ...(side === 'long' ? [] : clusterWords('short', 'Shorts above', short, decimals)),
        );
    }

    badge(badge: Badge): void {
        // Only what changed, so that a screen reader does not repeat it every second.
        if (this.#badge.textContent !== badge.text) this.#badge.textContent = badge.text;
        this.#badge.dataset.tone = badge.tone;
        this.#badge.title = badge.title;
    }
}

function clusterWords(side: 'long' | 'short', says: string, cluster: Cluster | null, decimals: number): Node[] {
    if (cluster === null) return [];
    return [
        element(
            'span',
            { className: side },
            element('span', { className: 'words', textContent: `${says} ` }),
            element('b', { textContent: `$${compactUsd(cluster.usd)}` }),
            element('span', { className: 'words', textContent: ' at' }),
            ' ',
            element('b', { textContent: formatPrice(cluster.price, decimals) }),
            element('span', { className: 'far', textContent: ` ${signedPercent(cluster.distance)}` }),
        ),
    ];
}
