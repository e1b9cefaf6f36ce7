/** Where one has walked to, away from the chosen range: the picture of it, and the one that came while the chart was held. */
import type { Stored, Viewport } from '../model/tile-plan.ts';
import { type Api, ApiError } from '../transport/api.ts';
import type { GridHeader } from '../wire/grid.ts';
import type { Picture } from './picture.ts';
import { Walk } from './walk.ts';

export interface AwayEvents {
    /** Tiles of a picture are there, whether or not it is shown. */
    came(picture: Picture, tiles: readonly GridHeader[]): void;
    /** Another picture is shown, or that of the chosen range again. */
    changed(): void;
    /** Something that was asked for is refused. */
    trouble(why: string): void;
}

export class Away {
    readonly #tell: AwayEvents;
    readonly #walk: Walk;
    #picture: Picture | null = null;
    #viewport: Viewport | null = null;
    #waiting: Picture | null = null;
    #isHeld = false;
    /** When a picture was shown or asked for again, by this machine's clock. */
    #walkedAt = 0;

    constructor(api: Api, tell: AwayEvents) {
        this.#tell = tell;
        this.#walk = new Walk(api, {
            ready: (picture, tiles) => this.#ready(picture, tiles),
            failed: (error) => {
                if (error instanceof ApiError && error.status !== 0) tell.trouble(error.message);
            },
        });
    }

    /** Null while one is within the chosen range. */
    get picture(): Picture | null {
        return this.#picture;
    }

    /** Another symbol, or the same one whose past has changed. `market`: whose candles are shown with it. */
    reset(symbol: string, market: string): void {
        this.#walk.reset(symbol, market);
    }

    /** Planes by leverage are wanted from now on. */
    split(): void {
        this.#walk.split();
    }

    /** Back to the chosen range, of which another picture is shown anyway. */
    end(): void {
        this.#walk.stop();
        this.#picture = null;
        this.#waiting = null;
        this.#viewport = null;
    }

    /** What the chart shows; null for the chosen range. Fetched by `go`. */
    look(viewport: Viewport | null): void {
        this.#viewport = viewport;
    }

    isLooking(): boolean {
        return this.#viewport !== null;
    }

    /** Fetches what is looked at, and shows it as soon as it is there; or shows the chosen range again. */
    go(stored: Stored | null, interval: string): void {
        if (this.#viewport === null) {
            this.#walk.stop();
            this.#waiting = null;
            this.#show(null);
        } else if (stored !== null) this.#walk.go(this.#viewport, stored, interval);
    }

    /** The same once more, not sooner than this after the last time. */
    again(stored: Stored | null, interval: string, gapMs: number): void {
        if (this.#viewport === null || stored === null || Date.now() - this.#walkedAt < gapMs) return;
        this.#walkedAt = Date.now();
        this.#walk.go(this.#viewport, stored, interval);
    }

    /** While the chart is held (dragged) its picture stays; what comes meanwhile is shown afterwards. */
    hold(isHeld: boolean): void {
        this.#isHeld = isHeld;
        const waiting = this.#waiting;
        if (isHeld || waiting === null) return;
        this.#waiting = null;
        this.#show(waiting);
    }

    #ready(picture: Picture, tiles: readonly GridHeader[]): void {
        this.#tell.came(picture, tiles);
        if (this.#viewport === null) return;
        if (this.#isHeld) this.#waiting = picture;
        else this.#show(picture);
    }

    #show(picture: Picture | null): void {
        if (picture === this.#picture) return;
        this.#picture = picture;
        this.#walkedAt = Date.now();
        this.#tell.changed();
    }
}
