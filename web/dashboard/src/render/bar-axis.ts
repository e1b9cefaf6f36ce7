/** Where bars stand across the pane, whole ones and places between them. */
import type { ITimeScaleApi, Logical, Time } from 'lightweight-charts';

export interface BarAxis {
    /** The left edge of the pixel that the middle of this bar falls into, CSS pixels; half a pixel more is the middle itself. */
    x(bar: number): number;
    /** Of a bar, CSS pixels. */
    width: number;
    /** The bar at a place. */
    bar(x: number): number;
}

/** The axis as it stands now; null before it is laid out. */
export function barAxis(scale: ITimeScaleApi<Time>): BarAxis | null {
    // The scale answers for whole bars only; it is a straight line, so two of them give the rest.
    const zero = scale.logicalToCoordinate(0 as Logical);
    const one = scale.logicalToCoordinate(1 as Logical);
    if (zero === null || one === null) return null;
    return { width: one - zero, x: (bar) => zero + bar * (one - zero), bar: (x) => (x - zero) / (one - zero) };
}
