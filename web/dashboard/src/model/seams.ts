/** Where venues joined the sum of a symbol: the picture is brighter from there on, and nothing happened in the market. */

export interface VenueBegin {
    venue: string;
    /** Of its oldest bar, milliseconds since 1970. */
    time: number;
}

export interface Seam {
    time: number;
    venues: readonly string[];
}

/** What begins this soon after another venue has no step of its own. */
const TOGETHER_MS = 3_600_000;

/** Oldest first. Venues that are there from the beginning make no seam. */
export function seamsOf(begins: readonly VenueBegin[]): Seam[] {
    const sorted = [...begins].sort((a, b) => a.time - b.time);
    const seams: { time: number; venues: string[] }[] = [];
    for (const { venue, time } of sorted) {
        const last = seams.at(-1);
        if (last !== undefined && time - last.time < TOGETHER_MS) last.venues.push(venue);
        else seams.push({ time, venues: [venue] });
    }
    return seams.slice(1);
}
