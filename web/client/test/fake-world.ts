/** A world for tests: time moves when told to, sockets and HTTP answers are made by hand. */
import type { Answer, Environment, Socket } from '../src/transport/environment.ts';

export class FakeSocket implements Socket {
    binaryType = 'blob';
    onopen: ((event: never) => void) | null = null;
    onmessage: ((event: { data: unknown }) => void) | null = null;
    onclose: ((event: { code: number; reason: string }) => void) | null = null;
    onerror: ((event: never) => void) | null = null;
    readonly url: string;
    readonly protocols: readonly string[];
    readonly sent: Record<string, unknown>[] = [];
    closed = false;

    constructor(url: string, protocols: readonly string[]) {
        this.url = url;
        this.protocols = protocols;
    }

    send(data: string): void {
        this.sent.push(JSON.parse(data) as Record<string, unknown>);
    }

    close(): void {
        this.closed = true;
    }

    // --- what the server does ---

    open(): void {
        this.onopen?.({} as never);
    }

    say(frame: unknown): void {
        this.onmessage?.({ data: typeof frame === 'string' ? frame : JSON.stringify(frame) });
    }

    sayBytes(bytes: Uint8Array): void {
        this.onmessage?.({ data: bytes.slice().buffer });
    }

    end(code = 1006, reason = ''): void {
        this.onclose?.({ code, reason });
    }

    subscribes(): Record<string, unknown>[] {
        return this.sent.filter(({ action }) => action === 'subscribe');
    }
}

interface Timer {
    at: number;
    order: number;
    run: () => void;
}

export class FakeWorld implements Environment {
    readonly sockets: FakeSocket[] = [];
    readonly requests: { url: URL; headers: Record<string, string> }[] = [];
    /** Answers HTTP; the default is a server that does not exist. */
    answer: (url: URL) => Answer | Error = () => new Error('connection refused');
    chance = 1;
    #now = 1_000_000;
    #order = 0;
    #timers = new Set<Timer>();
    #woke: (() => void) | null = null;
    #frame: { begin: () => void; done: () => void }[] = [];

    openSocket(url: string, protocols: string[]): Socket {
        if (url.startsWith('bad')) throw new SyntaxError(`'${url}' is not an address`);
        const socket = new FakeSocket(url, protocols);
        this.sockets.push(socket);
        return socket;
    }

    get(url: string, headers: Record<string, string>): Promise<Answer> {
        const asked = new URL(url);
        this.requests.push({ url: asked, headers });
        const answer = this.answer(asked);
        return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
    }

    now(): number {
        return this.#now;
    }

    later(ms: number, run: () => void): () => void {
        const timer: Timer = { at: this.#now + ms, order: this.#order++, run };
        this.#timers.add(timer);
        return () => this.#timers.delete(timer);
    }

    random(): number {
        return this.chance;
    }

    afterPaint(begin: () => void, done: () => void): void {
        this.#frame.push({ begin, done });
    }

    watchPage(woke: () => void): () => void {
        this.#woke = woke;
        return () => {
            this.#woke = null;
        };
    }

    // --- what the test does ---

    /** The newest socket. */
    socket(): FakeSocket {
        const socket = this.sockets.at(-1);
        if (socket === undefined) throw new Error('no socket was opened');
        return socket;
    }

    timers(): number {
        return this.#timers.size;
    }

    watched(): boolean {
        return this.#woke !== null;
    }

    wake(): void {
        this.#woke?.();
    }

    /** Paints a frame; `meanwhile` happens between its beginning and its end. */
    paint(meanwhile = (): void => {}): void {
        const frame = this.#frame.splice(0);
        for (const { begin } of frame) begin();
        meanwhile();
        for (const { done } of frame) done();
    }

    /** Time passes while nothing runs: a closed laptop. */
    sleep(ms: number): void {
        this.#now += ms;
    }

    async pass(ms: number): Promise<void> {
        const end = this.#now + ms;
        for (;;) {
            await settle();
            const due = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at || a.order - b.order)[0];
            if (due === undefined) break;
            this.#timers.delete(due);
            this.#now = Math.max(this.#now, due.at);
            due.run();
        }
        this.#now = Math.max(this.#now, end);
        await settle();
    }
}

/** Lets promises that are ready run. */
async function settle(): Promise<void> {
    for (let turn = 0; turn < 5; turn++) await Promise.resolve();
}
