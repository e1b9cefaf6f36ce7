// `npm run socket-bytes`: what the socket of a page brings, on the wire, while the demo (LIQHEAT_BIN) runs at the market's own
// pace: bytes a second, and how many a state without changed levels takes, which is most of them. SECONDS=60.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';
import { fileURLToPath } from 'node:url';
import { startProgram } from './start-program.mjs';

const web = fileURLToPath(new URL('..', import.meta.url));
const seconds = Number(process.env.SECONDS ?? 60);
const binary = process.env.LIQHEAT_BIN;
if (!binary) {
    console.error('LIQHEAT_BIN must name the built program; `make socket-bytes` does that');
    process.exit(1);
}

spawnSync('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json'], { cwd: web, stdio: 'inherit' });
const { launch, open, shown } = await import('../.build/dashboard/test/browser.js');

const { url, stop } = await startProgram(binary, [
    'demo',
    '--listen',
    '127.0.0.1:0',
    '--speed',
    '1',
    '--ws-update-interval',
    '1',
    '--seed',
    '7',
]);
/** Lengths of what came over the socket, and of what went. */
const came = [];
const went = [];
const proxy = net.createServer((client) => {
    const server = net.connect(Number(new URL(url).port), '127.0.0.1');
    let isSocket = null;
    client.on('data', (bytes) => {
        isSocket ??= /^upgrade: websocket/im.test(bytes.toString('latin1'));
        if (isSocket) went.push(bytes.length);
    });
    server.on('data', (bytes) => {
        if (isSocket === true) came.push(bytes.length);
    });
    client.pipe(server).pipe(client);
    for (const end of [client, server]) end.on('error', () => [client, server].forEach((each) => void each.destroy()));
});
proxy.listen(0, '127.0.0.1');
await once(proxy, 'listening');

const browser = await launch();
const { page } = await open(browser, `http://127.0.0.1:${proxy.address().port}/?symbol=BTCUSDT&range=12h`);
await shown(page);
came.length = 0;
went.length = 0;
const began = Date.now();
while (Date.now() - began < seconds * 1000) await page.waitForTimeout(Math.min(1000, seconds * 1000));
const took = (Date.now() - began) / 1000;
const sum = (list) => list.reduce((all, each) => all + each, 0);
const lengths = new Map();
for (const length of came) lengths.set(length, (lengths.get(length) ?? 0) + 1);
const [usual = 0, times = 0] = [...lengths].sort((one, other) => other[1] - one[1])[0] ?? [];
console.log(`${(sum(came) / took).toFixed(1)} bytes a second come, ${(sum(went) / took).toFixed(1)} go`);
console.log(`${times} of ${came.length} messages take ${usual} bytes: with a state a second, that many a second`);
await browser.close();
proxy.close();
await stop();
process.exit(0);
