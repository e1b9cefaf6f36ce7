/**
 * The badge's judgement: what the connection's status, the feed's state and the age of the data amount to.
 *
 * A pure function of its inputs, the clock among them, because this is the sentence a trader relies on.
 */
import type { FeedState, StatusChange } from 'liqheat-client';
import { formatAge } from './format.ts';

export type Tone = 'good' | 'plain' | 'warn' | 'bad';

export interface Badge {
    tone: Tone;
    /** One or two words. */
    text: string;
    /** The whole story, for the tooltip and for screen readers. */
    title: string;
}

export interface Sighting {
    connection: StatusChange;
    feed: FeedState | null;
    /** Market time of the newest state, milliseconds since 1970; null before the first. */
    asOf: number | null;
    /** When the newest message about the symbol arrived, by this machine's clock; 0 before the first. */
    heardAt: number;
    /** When the market time of the states last moved, by this machine's clock; 0 before the first state. */
    movedAt: number;
    now: number;
    /** Market seconds a second where the market is not live. */
    speed: number;
    /** Measured positions: the venue's marks, which date them, are asked for once a minute. */
    isLayer?: boolean;
}

/** A live market's data older than this is worth a warning whatever the server says. */
const LIVE_AGE_MAX_MS = 60_000;
const LAYER_AGE_MAX_MS = 180_000;
/** A running replay moves every few seconds; the server's heartbeats go on after its end. */
const REPLAY_STILL_MS = 20_000;

export function badgeOf(seen: Sighting): Badge {
    const { connection, now } = seen;
    const retry = connection.retryAt === null ? '' : `, trying again in ${formatAge(connection.retryAt - now)}`;
    const lastHeard = seen.heardAt === 0 ? '' : ` Last data ${formatAge(now - seen.heardAt)} ago.`;
    switch (connection.status) {
        case 'connecting':
            return { tone: 'warn', text: 'Connecting', title: `${connection.message}.${lastHeard}` };
        case 'disconnected':
            return { tone: 'bad', text: 'Disconnected', title: `${connection.message}${retry}.${lastHeard}` };
        case 'failed':
            return { tone: 'bad', text: 'Refused', title: `${connection.message}.${lastHeard}` };
        case 'polling':
            return { tone: 'warn', text: 'Polling', title: `${connection.message}.${lastHeard}` };
        case 'slow':
            return { tone: 'warn', text: 'Slow', title: `Connection slow - may miss updates. ${connection.message}.${lastHeard}` };
        case 'stale':
            return { tone: 'bad', text: `Stale · ${ageOf(seen)}`, title: `${connection.message}.${lastHeard}` };
        case 'connected':
            return connectedBadge(seen, lastHeard);
    }
}

function ageOf({ asOf, heardAt, now, feed }: Sighting): string {
    const since = feed === 'replay' || asOf === null ? heardAt : asOf;
    return formatAge(now - since);
}

function connectedBadge(seen: Sighting, lastHeard: string): Badge {
    if (seen.asOf === null) return { tone: 'plain', text: 'Waiting', title: 'Connected; no state has arrived yet.' };
    const age = ageOf(seen);
    switch (seen.feed) {
        case 'replay': {
            const stillMs = seen.now - seen.movedAt;
            if (seen.movedAt > 0 && stillMs > REPLAY_STILL_MS) {
                const since = `No new market data for ${formatAge(stillMs)}; connected.`;
                return { tone: 'warn', text: 'Replay ended', title: `The replay has reached the end of its data. ${since}` };
            }
            return {
                tone: 'plain',
                text: seen.speed === 1 ? 'Replay' : `Replay ×${seen.speed}`,
                title: `Recorded or simulated data played as if live.${lastHeard}`,
            };
        }
        case 'lagging':
            return { tone: 'warn', text: `Lagging · ${age}`, title: `The market data arrives late.${lastHeard}` };
        case 'degraded':
            return { tone: 'warn', text: `Degraded · ${age}`, title: `Part of the market data is missing.${lastHeard}` };
        case 'stale':
            return { tone: 'bad', text: `Stale · ${age}`, title: `The market data has stopped.${lastHeard}` };
        case 'live':
        case 'warming_up': {
            // The server says warming_up only of data that is otherwise live.
            const warming = seen.feed === 'warming_up';
            const old = seen.now - seen.asOf > (seen.isLayer === true ? LAYER_AGE_MAX_MS : LIVE_AGE_MAX_MS);
            const young = warming ? ' The model has not seen most open positions being opened yet.' : '';
            return {
                tone: old ? 'warn' : warming ? 'plain' : 'good',
                text: `Live · ${age}${warming ? ' · warming up' : ''}`,
                title: `Connected; data as of ${age} ago.${young}${lastHeard}`,
            };
        }
        case null:
            return { tone: 'good', text: 'Connected', title: `Connected; data as of ${age} ago.${lastHeard}` };
    }
}
