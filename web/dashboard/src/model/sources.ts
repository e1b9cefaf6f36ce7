/** The venues behind a symbol, as a line a venue for the badge's tooltip. */
import type { SourceHealth } from 'liqheat-client';
import { formatAge } from './format.ts';
import type { Badge } from './freshness.ts';

export function sourceLines(sources: readonly SourceHealth[], now: number): string[] {
    return sources.map(({ venue, state, as_of }) => {
        const asOf = as_of === null ? Number.NaN : Date.parse(as_of);
        const age = Number.isNaN(asOf) ? '' : `, ${formatAge(now - asOf)} ago`;
        return `${venue}: ${state}${age}`;
    });
}

/** The badge with its venues below the sentence. */
export function withSources(badge: Badge, sources: readonly SourceHealth[], now: number): Badge {
    if (sources.length === 0) return badge;
    return { ...badge, title: [badge.title, ...sourceLines(sources, now)].join('\n') };
}
