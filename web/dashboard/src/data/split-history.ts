/** The history of a symbol by leverage where somebody asked for that, and undivided where the server finds it too large. */
import { type Api, ApiError } from '../transport/api.ts';
import type { Query } from '../transport/early.ts';
import type { Grid } from '../wire/grid.ts';

/** How the server answers to more cells than it will make. */
const TOO_LARGE = 400;

export interface SplitGrid {
    grid: Grid;
    /** It was asked for by leverage, and is too large for that. */
    isRefused: boolean;
}

export async function splitHistory(api: Api, query: Query, isWanted: boolean, signal: AbortSignal): Promise<SplitGrid> {
    if (!isWanted) return { grid: await api.history(query, signal), isRefused: false };
    try {
        return { grid: await api.history({ ...query, by: 'leverage' }, signal), isRefused: false };
    } catch (error) {
        if (!(error instanceof ApiError) || error.status !== TOO_LARGE) throw error;
        return { grid: await api.history(query, signal), isRefused: true };
    }
}
