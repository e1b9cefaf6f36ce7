/**
 * Which stretch of time the chart shows: where a person moved it, what the address asks for, and what a replay needs. It has the
 * market fetch what comes into sight, and goes to a place that is not loaded yet as soon as it is.
 */
import type { Market } from '../data/market.ts';
import { around, followed } from '../model/playback.ts';
import type { HeatChart } from '../render/chart.ts';
import type { TimeSpan, View } from '../state/view.ts';

/** Browsers limit how often the address may be written; a replay writes it besides. */
const SPAN_SETTLES_MS = 400;
const REPLAY_SPAN_MS = 2_000;
const LOOK_SETTLES_MS = 130;

export interface NavigationEvents {
    view(): View;
    /** The chart has come to rest here after a person or a replay moved it. */
    settled(span: TimeSpan): void;
    /** A person moved the chart so far that the moment of a replay is out of sight. */
    lostSight(): void;
    /** A place that was asked for has no data. */
    nothingThere(): void;
}

export class Navigation {
    readonly #chart: HeatChart;
    readonly #market: Market;
    readonly #events: NavigationEvents;
    /** Shown as soon as the picture of it is there. */
    #due: TimeSpan | null = null;
    /** Brought into sight as soon as there is a picture at all. */
    #momentDue: number | null = null;
    #spanTimer: ReturnType<typeof setTimeout> | undefined;
    #lookTimer: ReturnType<typeof setTimeout> | undefined;
    #latest: TimeSpan | null = null;
    /** The stretch of time that the chart itself reported last. */
    #own: TimeSpan | null = null;
    #isHeld = false;

    constructor(chart: HeatChart, market: Market, events: NavigationEvents) {
        this.#chart = chart;
        this.#market = market;
        this.#events = events;
        chart.onSpan((span) => this.#moved(span));
        chart.onHold((isHeld) => this.#held(isHeld));
    }

    /** Another symbol or range is opened with this view. */
    expect({ span, moment }: View): void {
        this.#clearTimers();
        this.#due = span;
        this.#momentDue = span === null ? moment : null;
        this.#own = null;
    }

    /** Whether somebody holds the chart, or it waits for a picture of where it shall go. */
    isBusy(): boolean {
        return this.#isHeld || this.isLoading();
    }

    /** Whether it waits for a picture of where it shall go. */
    isLoading(): boolean {
        return this.#due !== null || this.#momentDue !== null;
    }

    /** The address names another stretch of time; nothing happens where the chart itself has put it there. */
    address(span: TimeSpan | null): void {
        if (span === this.#own) return;
        if (span === null) this.showWhole();
        else this.goToSpan(span);
    }

    /** Shows a moment in the middle, at the zoom of now. */
    goToTime(time: number): void {
        const viewport = this.#chart.viewport();
        if (viewport === null) return;
        const half = (viewport.to - viewport.from) / 2;
        this.goToSpan({ from: time - half, to: time + half });
    }

    goToSpan(span: TimeSpan): void {
        this.#due = span;
        this.showDue();
    }

    /** Keeps a moment that moves on in sight. */
    follow(moment: number): void {
        const viewport = this.#chart.viewport();
        if (viewport === null || this.isBusy()) return;
        const next = followed(viewport, moment);
        if (next !== null) this.goToSpan(next);
    }

    /** Goes to a moment that has left the range, which moves on with the market; who has walked elsewhere stays there. */
    recall(moment: number): void {
        // The chart may have had no size when the picture came.
        if (this.#momentDue !== null) return this.showDue();
        const viewport = this.#chart.viewport();
        if (viewport !== null && !this.isBusy() && !this.#market.isAway) this.goToSpan(around(viewport, moment));
    }

    /** A picture is there: shows what was asked for if it is in it. The chart goes nowhere without candles. */
    showDue(): void {
        const stored = this.#market.stored();
        const viewport = this.#chart.viewport();
        if (stored === null || viewport === null) return;
        const moment = this.#momentDue;
        const range = this.#market.base?.candles;
        this.#momentDue = null;
        // The chart has only just been told to show the range, so what it shows is not asked.
        if (moment !== null && range !== undefined && moment < range.first) {
            this.#due = around({ from: range.first, to: range.last() + range.intervalMs }, moment);
        }
        const due = this.#due;
        if (due === null) return;
        const within = { from: Math.max(due.from, stored.first), to: Math.min(due.to, stored.now) };
        if (within.from >= within.to) {
            this.#due = null;
            this.#events.nothingThere();
        } else if (this.#chart.covers(within)) {
            this.#due = null;
            this.#chart.showSpan(due);
            this.#moved(due);
        } else this.#market.look({ ...viewport, ...due });
    }

    /** The chosen range up to now. */
    showWhole(): void {
        this.#market.look(null);
        this.#chart.fit();
        // What the chart reported on the way is no wish of anybody.
        this.#clearTimers();
        this.#due = null;
        this.#own = null;
    }

    #moved(span: TimeSpan): void {
        // Where somebody goes while a range is on its way, that is shown once it is there.
        if (this.#market.isOpening) this.#due = span;
        const { playing, moment } = this.#events.view();
        if (playing && moment !== null && !this.isBusy() && (moment < span.from || moment > span.to)) this.#events.lostSight();
        this.#latest = span;
        // A replay moves the chart all the time.
        if (!playing) clearTimeout(this.#spanTimer);
        if (!playing || this.#spanTimer === undefined) {
            this.#spanTimer = setTimeout(() => this.#settle(), playing ? REPLAY_SPAN_MS : SPAN_SETTLES_MS);
        }
        this.#lookSoon(playing);
    }

    #settle(): void {
        this.#spanTimer = undefined;
        const span = this.#latest;
        if (span === null) return;
        this.#own = span;
        this.#events.settled(span);
    }

    /** Fetches what the chart shows, once it stands still, or now and then while a replay moves it. */
    #lookSoon(isPlaying: boolean): void {
        if (isPlaying && this.#lookTimer !== undefined) return;
        clearTimeout(this.#lookTimer);
        this.#lookTimer = setTimeout(() => {
            this.#lookTimer = undefined;
            const viewport = this.isBusy() ? null : this.#chart.viewport();
            if (viewport !== null) this.#market.look(viewport);
        }, LOOK_SETTLES_MS);
    }

    #held(isHeld: boolean): void {
        if (isHeld === this.#isHeld) return;
        this.#isHeld = isHeld;
        // Whoever takes hold wants to be here.
        if (isHeld) {
            this.#due = null;
            this.#momentDue = null;
        }
        this.#market.hold(isHeld);
        // A press alone asks for nothing, and neither does the release of one.
        if (!isHeld && this.#chart.isMoved()) this.#lookSoon(false);
    }

    #clearTimers(): void {
        clearTimeout(this.#spanTimer);
        clearTimeout(this.#lookTimer);
        this.#spanTimer = undefined;
        this.#lookTimer = undefined;
    }
}
