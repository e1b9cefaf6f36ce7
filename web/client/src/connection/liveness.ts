/**
 * Whether the other side is still there: pings, notices silence, and after a sleep or a freeze asks at once.
 *
 * A socket can be dead for minutes before the system says so. The rules: a ping every 30 s; nothing heard for 40 s (the
 * server's heartbeat comes every 15 s) is silence; a tick that comes late means the machine slept; silence and sleep are
 * answered by a probe, and a probe by anything heard within 5 s, or the connection is given up.
 */
import type { Environment } from '../transport/environment.ts';

const TICK_MS = 5_000;
const PING_EVERY_MS = 30_000;
const SILENCE_MS = 40_000;
const TIME_JUMP_MS = 15_000;
const PROBE_LIMIT_MS = 5_000;

export interface LivenessHandler {
    ping(): void;
    /** Nothing was heard for too long; a probe is on its way. */
    silent(): void;
    /** The probe was not answered. */
    dead(): void;
    ticked(now: number): void;
}

export class Liveness {
    readonly #world: Environment;
    readonly #handler: LivenessHandler;
    #cancelTick: (() => void) | null = null;
    #cancelProbe: (() => void) | null = null;
    #heardAt = 0;
    #pingedAt = 0;
    #tickedAt = 0;
    #pinging = true;

    constructor(world: Environment, handler: LivenessHandler) {
        this.#world = world;
        this.#handler = handler;
    }

    /** A connection has opened. The first ping goes out at once, so that one that opens and says nothing is noticed. */
    start(): void {
        const now = this.#world.now();
        this.#heardAt = now;
        this.#tickedAt = now;
        this.#ping(now);
        this.#again();
    }

    stop(): void {
        this.#cancelTick?.();
        this.#cancelTick = null;
        this.#endProbe();
    }

    /** Whether pings go out every 30 s; without them silence and sleep are still answered by a probe. */
    keepAlive(pinging: boolean): void {
        this.#pinging = pinging;
    }

    /** Anything at all arrived. */
    heard(): void {
        this.#heardAt = this.#world.now();
        this.#endProbe();
    }

    /** Asks for a sign of life, and gives the connection up when none comes. */
    probe(): void {
        if (this.#cancelProbe !== null) return;
        this.#cancelProbe = this.#world.later(PROBE_LIMIT_MS, () => {
            this.#cancelProbe = null;
            this.#handler.dead();
        });
        this.#ping(this.#world.now());
    }

    #tick(): void {
        const now = this.#world.now();
        const late = now - this.#tickedAt > TIME_JUMP_MS;
        this.#tickedAt = now;
        this.#again();
        if (late) this.probe();
        else if (now - this.#heardAt > SILENCE_MS) {
            this.#handler.silent();
            this.probe();
        } else if (this.#pinging && now - this.#pingedAt >= PING_EVERY_MS) this.#ping(now);
        this.#handler.ticked(now);
    }

    #again(): void {
        this.#cancelTick = this.#world.later(TICK_MS, () => this.#tick());
    }

    #endProbe(): void {
        this.#cancelProbe?.();
        this.#cancelProbe = null;
    }

    #ping(now: number): void {
        this.#pingedAt = now;
        this.#handler.ping();
    }
}
