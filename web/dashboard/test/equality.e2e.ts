/**
 * The promise of the protocol, seen from a page: a real Chromium runs the client library against the built program (LIQHEAT_BENCH_BIN,
 * its real front and sessions over boards that change by themselves), through a line that is cut, stalled and torn in the
 * middle of a message, and while the program is killed and started again. Every state the page reports is compared with the
 * one that the market had at that `seq`, which this test computes by itself.
 */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { launch } from './browser.ts';
import { seeded } from './synthetic-market.ts';

const BINARY = process.env.LIQHEAT_BENCH_BIN ?? '';
const FRAMES = Number(process.env.LIQHEAT_EQUALITY_FRAMES ?? 10_000);
const SEED = Number(process.env.LIQHEAT_EQUALITY_SEED ?? 20_251_228);
const CLIENT = new URL('../../../client/dist/liqheat-client.script.js', import.meta.url);

const MARKET = { symbols: 6, hz: 40, levels: 60, changes: 6, vanishing: 3 };
const SYMBOLS = Array.from({ length: MARKET.symbols }, (_, number) => `BENCH${number}USDT`);

/** Prices and sums one after the other: price, long, short, .. */
type Levels = readonly number[];

/** The market of `liqheat-bench server`, once more: the same numbers give the same states. */
class Truth {
    readonly #states: { price: number; levels: Levels }[] = [];
    readonly #long: number[] = [];
    readonly #short: number[] = [];
    #dice: bigint;
    #price = 98_000;

    constructor(number: number, seed: number) {
        this.#dice = BigInt(seed * 1_000 + number + 1);
        for (let level = 0; level < MARKET.levels; level++) {
            this.#long.push(this.#usd());
            this.#short.push(this.#usd());
        }
        this.#keep();
    }

    /** The first state that is published has `seq` 1. */
    at(seq: number): { price: number; levels: Levels } | undefined {
        while (this.#states.length < seq) this.#step();
        return this.#states[seq - 1];
    }

    #roll(): bigint {
        this.#dice = BigInt.asUintN(64, this.#dice * 6_364_136_223_846_793_005n + 1_442_695_040_888_963_407n);
        return this.#dice >> 33n;
    }

    #usd(): number {
        return 200_000 + Number(this.#roll() % 5_000_000n);
    }

    #level(): number {
        return Number(this.#roll() % BigInt(MARKET.levels));
    }

    #step(): void {
        for (let n = 0; n < MARKET.changes; n++) {
            const at = this.#level();
            this.#long[at] = this.#usd();
        }
        for (let n = 0; n < MARKET.vanishing; n++) {
            const at = this.#level();
            this.#long[at] = 0;
            this.#short[at] = 0;
        }
        this.#price = 98_000 + Number(this.#roll() % 1_000n);
        this.#keep();
    }

    #keep(): void {
        const levels = this.#long.flatMap((long, at) => {
            const short = this.#short[at] ?? 0;
            return long + short === 0 ? [] : [98_000 + at * 10, long, short];
        });
        this.#states.push({ price: this.#price, levels });
    }
}

/** The program, in a new run each time it starts. */
class Program {
    port = 0;
    run = 0;
    #process: ChildProcess | null = null;

    async start(): Promise<void> {
        this.run += 1;
        const flags = Object.entries({ ...MARKET, seed: this.run }).flatMap(([name, value]) => [`--${name}`, String(value)]);
        const started = spawn(BINARY, ['server', ...flags, '--log', 'error'], { stdio: ['pipe', 'pipe', 'inherit'] });
        this.#process = started;
        const lines = createInterface(started.stdout);
        const [first] = (await once(lines, 'line')) as [string];
        this.port = Number(new URL(first.replace('liqheat: ', '')).port);
        started.stdin.write('go\n');
        // The rest are stamps, which nobody needs; they must be read all the same.
        lines.on('line', () => {});
    }

    async kill(): Promise<void> {
        const running = this.#process;
        if (running === null) return;
        const gone = once(running, 'exit');
        running.kill('SIGKILL');
        await gone;
    }
}

/** A line between page and program that can be made bad. The page's address stays the same whatever the program does. */
class Line {
    readonly #server: Server;
    readonly #open = new Set<{ near: Socket; far: Socket }>();
    /** Bytes that may still pass before the line is cut. */
    #tearAfter = Infinity;
    up = true;

    constructor(port: () => number) {
        this.#server = createServer((near) => {
            if (!this.up) return void near.destroy();
            const far = connect(port(), '127.0.0.1');
            const pair = { near, far };
            this.#open.add(pair);
            for (const socket of [near, far]) {
                socket.on('error', () => {});
                socket.on('close', () => {
                    this.#open.delete(pair);
                    near.destroy();
                    far.destroy();
                });
            }
            near.pipe(far);
            far.on('data', (bytes) => {
                const most = Math.min(bytes.length, this.#tearAfter);
                this.#tearAfter -= most;
                if (!near.write(bytes.subarray(0, most))) far.pause();
                if (this.#tearAfter > 0) return;
                this.#tearAfter = Infinity;
                near.destroy();
            });
            near.on('drain', () => far.resume());
        });
    }

    async start(): Promise<string> {
        this.#server.listen(0, '127.0.0.1');
        await once(this.#server, 'listening');
        return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    }

    cut(): void {
        for (const { near, far } of this.#open) {
            near.resetAndDestroy();
            far.destroy();
        }
    }

    /** The next message is cut in its middle. */
    tear(bytes: number): void {
        this.#tearAfter = bytes;
    }

    stall(): void {
        for (const { far } of this.#open) far.pause();
    }

    flow(): void {
        for (const { far } of this.#open) far.resume();
    }

    async stop(): Promise<void> {
        this.cut();
        this.#server.close();
        await once(this.#server, 'close');
    }
}

type Report = [symbol: string, epoch: string, seq: number, price: number, levels: number[]];

test(`${FRAMES} states in a page under faults, seed ${SEED}: no difference`, {
    skip: BINARY === '',
    timeout: 120_000 + FRAMES * 30,
}, async () => {
    const random = seeded(SEED);
    const program = new Program();
    await program.start();
    const line = new Line(() => program.port);
    const host = await line.start();
    const browser = await launch();
    const context = await browser.newContext({ bypassCSP: true });
    const page = await context.newPage();

    const truths = new Map<string, Truth>();
    const last = new Map<string, [epoch: string, seq: number]>();
    const counts = { states: 0, different: 0, skipped: 0, cuts: 0, tears: 0, stalls: 0, restarts: 0 };
    const problems: string[] = [];
    const errors = new Map<string, number>();
    const statuses = new Set<string>();
    let heard = (): void => {};
    await page.exposeFunction('report', (batch: Report[]) => {
        for (const [symbol, epoch, seq, price, levels] of batch) {
            const key = `${epoch} ${symbol}`;
            const truth = truths.get(key) ?? new Truth(SYMBOLS.indexOf(symbol), Number(epoch.replace('bench-', '')));
            truths.set(key, truth);
            const before = last.get(symbol);
            if (before !== undefined && before[0] === epoch) {
                if (seq <= before[1]) problems.push(`${key}: ${seq} after ${before[1]}`);
                if (seq > before[1] + 1) counts.skipped += 1;
            }
            last.set(symbol, [epoch, seq]);
            const want = truth.at(seq);
            counts.states += 1;
            if (want?.price === price && want.levels.join() === levels.join()) continue;
            counts.different += 1;
            problems.push(
                `${key} at ${seq}: ${price} [${levels.slice(0, 9).join()}..], not ${want?.price} [${want?.levels.slice(0, 9).join()}..]`,
            );
        }
        heard();
    });
    await page.exposeFunction('trouble', (code: string) => errors.set(code, (errors.get(code) ?? 0) + 1));
    await page.exposeFunction('became', (status: string) => statuses.add(status));
    await page.goto(`http://${host}/icon.svg`);
    // Nobody wants to wait half a minute between attempts here; the jitter is full, so small dice mean short pauses.
    await page.evaluate(() => {
        const dice = Math.random;
        Math.random = () => dice() * 0.02;
    });
    await page.evaluate(readFileSync(CLIENT, 'utf8'));
    await page.evaluate(
        ([address, symbols]) => {
            interface Message {
                symbol: string;
                epoch: string;
                seq: number;
                data: { current_price: number; levels: { price: number; long_density: number; short_density: number }[] };
            }
            const here = window as unknown as {
                report(batch: unknown[]): Promise<void>;
                trouble(code: string): Promise<void>;
                became(status: string): Promise<void>;
                HeatmapWebSocket: new (
                    url: string,
                    options: object,
                ) => { subscribe(symbols: string[], options?: object): void; connect(): void };
            };
            let batch: unknown[] = [];
            const ws = new here.HeatmapWebSocket(address, {
                onSnapshot: ({ symbol, epoch, seq, data }: Message) => {
                    batch.push([
                        symbol,
                        epoch,
                        seq,
                        data.current_price,
                        data.levels.flatMap((level) => [level.price, level.long_density, level.short_density]),
                    ]);
                },
                onError: ({ code }: { code: string }) => void here.trouble(code),
                onStatusChange: (status: string) => void here.became(status),
            });
            setInterval(() => {
                if (batch.length > 0) void here.report(batch);
                batch = [];
            }, 50);
            // Every kind of subscription: whole states, differences, and both with acknowledgements.
            for (const [n, symbol] of symbols.entries()) {
                ws.subscribe([symbol], { ...(n % 2 === 0 ? { mode: 'delta' } : {}), ...(n % 3 === 0 ? { ack: true } : {}) });
            }
            ws.connect();
        },
        [`ws://${host}/ws/heatmap`, SYMBOLS] as const,
    );

    const more = (): Promise<void> =>
        new Promise((resolve) => {
            heard = resolve;
        });
    /** Until this many batches came from the page. */
    const batches = async (count: number): Promise<void> => {
        for (let n = 0; n < count; n++) await more();
    };
    await more();
    while (counts.states < FRAMES && problems.length === 0) {
        await batches(1 + Math.floor(random() * 8));
        const dice = random();
        if (dice < 0.3) {
            counts.cuts += 1;
            line.cut();
        } else if (dice < 0.55) {
            counts.tears += 1;
            line.tear(1 + Math.floor(random() * 3_000));
        } else if (dice < 0.9) {
            counts.stalls += 1;
            line.stall();
            // How long it lasts is part of the fault.
            await new Promise((resolve) => setTimeout(resolve, 50 + random() * 900));
            line.flow();
        } else {
            counts.restarts += 1;
            await program.kill();
            // Sometimes it is away for long enough that the page begins to poll.
            if (random() < 0.5) await page.waitForRequest((request) => new URL(request.url()).pathname === '/v1/heatmap');
            await program.start();
        }
    }
    await browser.close();
    await line.stop();
    await program.kill();
    console.log(`${JSON.stringify(counts)} errors ${JSON.stringify(Object.fromEntries(errors))} statuses ${[...statuses].join()}`);
    assert.deepEqual(problems, []);
    assert.equal(counts.different, 0);
    assert.ok(counts.states >= FRAMES);
    // A line that is cut is an error of the socket, and nothing else may be one.
    const unsound = [...errors].filter(([code]) => code !== 'SOCKET_ERROR');
    assert.deepEqual(unsound, [], 'nothing that arrived was unsound');
    assert.ok(counts.skipped > 0, 'stalls made the page skip states');
    for (const fault of ['cuts', 'tears', 'stalls', 'restarts'] as const) assert.ok(counts[fault] > 0, fault);
});
