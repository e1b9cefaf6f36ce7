// Attacks on the built program, each with a stated result. `make chaos` runs all of them against the release build;
// `make chaos ARGS="log-unread slow-readers"` some.
//
// An attack is a function that starts servers with `serve`, does its worst, and returns a sentence that says what was
// seen; it throws when the server did not hold. Add one at the end of `attacks`. Everything stays on this machine, is
// bounded in count and time, and ends with the script.

import { spawn, spawnSync } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import WebSocket from '../web/node_modules/ws/wrapper.mjs';

const [program, ...wanted] = process.argv.slice(2);
if (!program) {
  console.error('usage: node scripts/chaos.mjs PROGRAM [ATTACK..]');
  process.exit(2);
}

const PATIENCE_MS = 60_000;
const folder = mkdtempSync(join(tmpdir(), 'liqheat-chaos-'));
const running = new Set();

/** Starts a server whose standard error is `stderr`, and waits for its address. */
async function serve(args, { stderr = 'ignore' } = {}) {
  const child = spawn(program, [...args, '--listen', '127.0.0.1:0'], { stdio: ['ignore', 'pipe', stderr] });
  running.add(child);
  const ended = new Promise((resolve) => child.once('exit', (code, signal) => { running.delete(child); resolve(code ?? signal); }));
  const port = await new Promise((resolve, reject) => {
    let text = '';
    child.stdout.on('data', (data) => {
      text += data;
      const found = /http:\/\/127\.0\.0\.1:(\d+)\//.exec(text);
      if (found) resolve(Number(found[1]));
    });
    void ended.then((code) => reject(new Error(`the server ended with ${code} before it listened`)));
  });
  return { port, child, ended };
}

const demo = (...more) => ['demo', '--seed', '7', '--days', '1', '--ws-update-interval', '1', ...more];

/** GET; the status, body and time that it took. */
function get(port, path, { timeoutMs = 10_000 } = {}) {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path, host: '127.0.0.1', agent: false, timeout: timeoutMs }, (response) => {
      let body = '';
      response.on('data', (data) => { body += data; });
      response.on('end', () => resolve({ status: response.statusCode, body, ms: performance.now() - began }));
    });
    request.on('timeout', () => request.destroy(new Error(`${path}: no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
  });
}

async function counter(port, name) {
  const { body } = await get(port, '/metrics');
  const line = body.split('\n').find((line) => line.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** A WebSocket that follows the demo's symbol; resolves with the first snapshot. */
function viewer(port, onState = () => {}) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/heatmap`);
  const snapshot = new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify({ action: 'subscribe', symbols: ['BTCUSDT'] })));
    socket.on('error', reject);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'snapshot' || message.type === 'delta') { onState(message); resolve(message); }
    });
  });
  return { socket, snapshot: within(snapshot, PATIENCE_MS, 'a state') };
}

function within(promise, ms, what) {
  return Promise.race([promise, sleep(ms, undefined, { ref: false }).then(() => { throw new Error(`no ${what} within ${ms} ms`); })]);
}

async function until(what, look) {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(50);
  }
}

function must(holds, what) {
  if (!holds) throw new Error(what);
}

/** It still serves, and stops in order when asked. */
async function worksAndStops({ port, child, ended }) {
  const one = viewer(port);
  await one.snapshot;
  one.socket.terminate();
  must((await get(port, '/live')).status === 200, '/live is not 200');
  const began = performance.now();
  child.kill('SIGTERM');
  const code = await within(ended, 15_000, 'end after SIGTERM');
  must(code === 0, `ended with ${code}`);
  return Math.round(performance.now() - began);
}

/** A connection from an address of this machine that sends text and reads nothing. */
function silent(port, text = '', localAddress = '127.0.0.1') {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    socket.pause();
    socket.on('error', () => {});
    socket.on('connect', () => { if (text) socket.write(text); resolve(socket); });
    socket.on('close', () => resolve(socket));
  });
}

function pipe(name) {
  const path = join(folder, name);
  must(spawnSync('mkfifo', [path]).status === 0, 'mkfifo is missing');
  // Opened for both directions, so that it does not wait for the other side.
  const both = openSync(path, constants.O_RDWR);
  return { path, both };
}

function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Milliseconds between states for some seconds. */
async function intervals(port, seconds) {
  const times = [];
  const one = viewer(port, () => times.push(performance.now()));
  await one.snapshot;
  await sleep(seconds * 1_000);
  one.socket.terminate();
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  must(gaps.length > 2, `only ${times.length} states in ${seconds} s`);
  return gaps;
}

const attacks = {
  async 'log-full-disk'() {
    const full = openSync('/dev/full', 'w');
    const server = await serve(demo(), { stderr: full });
    closeSync(full);
    const dropped = await counter(server.port, 'liqheat_log_lines_dropped_total');
    must(dropped > 0, 'no line was counted as dropped');
    return `stopped in order after ${await worksAndStops(server)} ms; ${dropped} lines dropped`;
  },

  async 'log-closed-pipe'() {
    const { path, both } = pipe('closed');
    const writing = openSync(path, constants.O_WRONLY);
    const server = await serve(demo(), { stderr: writing });
    closeSync(writing);
    closeSync(both);
    await until('a line is dropped', async () => {
      viewer(server.port).snapshot.catch(() => {});
      return (await counter(server.port, 'liqheat_log_lines_dropped_total')) > 0;
    });
    return `stopped in order after ${await worksAndStops(server)} ms`;
  },

  async 'log-unread'() {
    const { path } = pipe('unread');
    const writing = openSync(path, constants.O_WRONLY);
    const server = await serve(demo('--log', 'trace'), { stderr: writing });
    let connections = 0;
    await until('the queue of the log is full', async () => {
      const round = Array.from({ length: 100 }, () => viewer(server.port));
      await Promise.all(round.map((one) => one.snapshot));
      for (const { socket } of round) socket.terminate();
      connections += round.length;
      return (await counter(server.port, 'liqheat_log_lines_dropped_total')) > 0;
    });
    return `${connections} sockets served; stopped in order after ${await worksAndStops(server)} ms`;
  },

  async 'slow-readers'() {
    const server = await serve(demo('--ws-max-connections-per-address', '10000'));
    const request = `GET /openapi.json HTTP/1.1\r\nHost: 127.0.0.1:${server.port}\r\n\r\n`.repeat(400);
    const stalled = await Promise.all(Array.from({ length: 512 }, () => silent(server.port, request)));
    const live = [];
    for (let round = 0; round < 20; round += 1) {
      live.push((await get(server.port, '/live')).ms);
      must([200, 503].includes((await get(server.port, '/ready')).status), '/ready is not answered');
      const one = viewer(server.port);
      await one.snapshot;
      one.socket.terminate();
    }
    const began = performance.now();
    await until('the page comes', async () => (await get(server.port, '/')).status !== 503);
    const page = Math.round(performance.now() - began);
    const ended = await until('stalled responses end', async () => counter(server.port, 'liqheat_http_connections_ended_total{reason="write_timeout"}'));
    for (const socket of stalled) socket.destroy();
    return `/live p99 ${quantile(live, 0.99).toFixed(0)} ms, the page after ${page} ms, ${ended} or more ended by the timeout, stopped in order after ${await worksAndStops(server)} ms`;
  },

  async 'silent-connections'() {
    const server = await serve(demo('--trusted-proxies', 'none'));
    const sockets = [];
    for (let host = 1; host <= 8; host += 1) {
      sockets.push(...await Promise.all(Array.from({ length: 128 }, () => silent(server.port, '', `127.0.7.${host}`))));
    }
    const { status, ms } = await get(server.port, '/live');
    must(status === 200, `/live is ${status}`);
    for (const socket of sockets) socket.destroy();
    return `${sockets.length} connections of 8 addresses that say nothing: /live after ${ms.toFixed(0)} ms, stopped in order after ${await worksAndStops(server)} ms`;
  },

  async 'reads-beside-updates'() {
    const server = await serve(demo());
    const quiet = quantile(await intervals(server.port, 10), 0.99);
    let answers = 0;
    let refused = 0;
    let stop = false;
    const reader = async (path) => {
      while (!stop) {
        const { status } = await get(server.port, path, { timeoutMs: PATIENCE_MS });
        if (status === 503 || status === 429) { refused += 1; await sleep(100); } else answers += 1;
      }
    };
    const paths = ['/prices/klines?symbol=BTCUSDT&limit=5000', '/v1/liquidations?symbol=BTCUSDT&limit=10000'];
    const readers = Array.from({ length: 100 }, (_, index) => reader(paths[index % 2]));
    const busy = quantile(await intervals(server.port, 20), 0.99);
    stop = true;
    await Promise.all(readers);
    const seen = `state interval p99 ${busy.toFixed(0)} ms beside 100 readers, ${quiet.toFixed(0)} ms without (${answers} answers, ${refused} refused)`;
    must(busy < quiet * 1.2, seen);
    await worksAndStops(server);
    return seen;
  },
};

const unknown = wanted.filter((name) => !(name in attacks));
if (unknown.length > 0) {
  console.error(`unknown: ${unknown.join(', ')}; there are ${Object.keys(attacks).join(', ')}`);
  process.exit(2);
}
let failed = 0;
for (const [name, attack] of Object.entries(attacks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue;
  const began = performance.now();
  const seconds = () => ((performance.now() - began) / 1_000).toFixed(1);
  try {
    const seen = await attack();
    console.log(`held    ${name}: ${seen} (${seconds()} s)`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}: ${error.message} (${seconds()} s)`);
  } finally {
    for (const child of running) child.kill('SIGKILL');
  }
}
rmSync(folder, { recursive: true, force: true });
console.log(failed === 0 ? 'every attack was held' : `${failed} attacks were not held`);
process.exit(failed === 0 ? 0 : 1);
