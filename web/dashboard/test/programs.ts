/** Programs that tests start, kill and start again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Most time that anything may take; never waited for when all is well. */
const LIMIT_MS = 120_000;
/** Between two questions, so that asking does not take the cores from whoever is to bring the answer. */
const BETWEEN_MS = 50;

/** Below the ports of outgoing connections: nobody takes it while the program is down. */
export async function freePort(): Promise<number> {
    for (;;) {
        const candidate = 16_000 + Math.floor(Math.random() * 4_000);
        const probe = createServer().listen(candidate, '127.0.0.1');
        const isFree = await once(probe, 'listening').then(
            () => true,
            () => false,
        );
        if (isFree) {
            probe.close();
            await once(probe, 'close');
            return candidate;
        }
    }
}

/** Starts a program and waits until the address answers as it should. */
export async function start(
    path: string,
    words: readonly string[],
    settings: Record<string, string>,
    isReady: () => Promise<boolean>,
): Promise<ChildProcess> {
    const running = spawn(path, words, { stdio: 'ignore', env: { ...process.env, ...settings } });
    await until(`${path} ${words.join(' ')} is ready`, () => {
        assert.equal(running.exitCode, null, `${path} ended`);
        return isReady().catch(() => false);
    });
    return running;
}

/** Asks again and again until something holds that no event announces. */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
    const end = Date.now() + LIMIT_MS;
    while (!(await holds())) {
        assert.ok(Date.now() < end, `${what}: not within ${LIMIT_MS} ms`);
        await new Promise((resolve) => setTimeout(resolve, BETWEEN_MS));
    }
}

export async function end(running: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
}
