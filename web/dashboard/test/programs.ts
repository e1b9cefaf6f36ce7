/** Programs that tests start, kill and start again. */
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';

const START_LIMIT_MS = 120_000;

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
    const end = Date.now() + START_LIMIT_MS;
    while (!(await isReady().catch(() => false))) {
        assert.ok(Date.now() < end && running.exitCode === null, `${path} ${words.join(' ')} is ready`);
        await new Promise((resolve) => setTimeout(resolve, 100));
    }
    return running;
}

export async function end(running: ChildProcess, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    if (running.exitCode !== null || running.signalCode !== null) return;
    const gone = once(running, 'exit');
    running.kill(signal);
    await gone;
}
