// Starts the built program and waits until it is ready, for tools that open its page.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';

const START_LIMIT_MS = 120_000;
const ASK_EVERY_MS = 100;

/** The result says where it is, without a slash at the end, and stops it. `words`: its command line. */
export async function startProgram(binary, words, environment = {}) {
    const running = spawn(binary, words, { stdio: ['ignore', 'pipe', 'ignore'], env: { ...process.env, ...environment } });
    const stop = async () => {
        if (running.exitCode !== null || running.signalCode !== null) return;
        const gone = once(running, 'exit');
        running.kill('SIGTERM');
        await gone;
    };
    const [line] = await Promise.race([
        once(createInterface(running.stdout), 'line'),
        once(running, 'exit').then(() => Promise.reject(new Error(`${binary} ${words.join(' ')} ended before it said where it is`))),
    ]);
    const url = line.replace('liqheat: ', '').replace(/\/$/, '');
    const end = Date.now() + START_LIMIT_MS;
    // A page that is opened earlier waits as well, but a browser writes every 503 to its console.
    for (;;) {
        const answer = await fetch(`${url}/ready`).catch(() => null);
        if (answer?.ok === true) return { url, stop };
        if (running.exitCode !== null) throw new Error(`${binary} ended with ${running.exitCode}`);
        if (Date.now() > end) {
            await stop();
            throw new Error(`${binary} ${words.join(' ')} is not ready after ${START_LIMIT_MS / 1000} s: ${await answer?.text()}`);
        }
        await new Promise((done) => setTimeout(done, ASK_EVERY_MS));
    }
}
