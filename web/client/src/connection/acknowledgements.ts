/**
 * Which painted states the server has yet to hear of: of each symbol the newest, once a frame.
 *
 * After a stall of the page many states arrive before the next frame. An acknowledgement stands for all states before it, so the
 * newest one says everything, and the others would only use up the message budget.
 */
import type { Environment } from '../transport/environment.ts';

export class Acknowledgements {
    readonly #world: Pick<Environment, 'afterPaint'>;
    readonly #send: (symbol: string, seq: number) => void;
    /** Handed to the application, not painted yet. */
    #arrived = new Map<string, number>();
    /** In the frame that is being painted. */
    #inFrame = new Map<string, number>();
    #isFrameAwaited = false;

    constructor(world: Pick<Environment, 'afterPaint'>, send: (symbol: string, seq: number) => void) {
        this.#world = world;
        this.#send = send;
    }

    /** The application got this state, and paints it with the next frame. */
    applied(symbol: string, seq: number): void {
        this.#arrived.set(symbol, seq);
        if (this.#isFrameAwaited) return;
        this.#isFrameAwaited = true;
        this.#world.afterPaint(
            () => this.#frameBegins(),
            () => this.#painted(),
        );
    }

    /** The subscription is another one, or none: the server does not wait for its states any more. */
    forget(symbols: readonly string[]): void {
        for (const symbol of symbols) {
            this.#arrived.delete(symbol);
            this.#inFrame.delete(symbol);
        }
    }

    /** The connection is gone, and with it whoever waited. */
    clear(): void {
        this.#arrived.clear();
        this.#inFrame.clear();
    }

    #frameBegins(): void {
        this.#isFrameAwaited = false;
        for (const [symbol, seq] of this.#arrived) this.#inFrame.set(symbol, seq);
        this.#arrived.clear();
    }

    #painted(): void {
        const painted = [...this.#inFrame];
        this.#inFrame.clear();
        for (const [symbol, seq] of painted) this.#send(symbol, seq);
    }
}
