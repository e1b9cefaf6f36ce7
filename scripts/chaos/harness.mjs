// What attacks stand on: servers on free ports, requests, sockets, waiting for what must come.

import { spawn, spawnSync } from 'node:child_process';
import { constants, mkdtempSync, openSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import WebSocket from '../../web/node_modules/ws/wrapper.mjs';

/** The built program, the first argument of the script. */
export const program = process.argv[2];

export const PATIENCE_MS = 150_000;
export const folder = mkdtempSync(join(tmpdir(), 'liqheat-chaos-'));
export const running = new Set();

/** Starts a server whose standard error is `stderr`, and waits for its address. */
export async function serve(args, { stderr = 'ignore', env = {} } = {}) {
  const stdio = ['ignore', 'pipe', stderr];
  const child = spawn(program, [...args, '--listen', '127.0.0.1:0'], { stdio, env: { ...process.env, ...env } });
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

export const demo = (...more) => ['demo', '--seed', '7', '--days', '1', '--ws-update-interval', '1', ...more];

/** GET; the status, body and time that it took. */
export function get(port, path, { timeoutMs = 10_000, headers = {} } = {}) {
  const began = performance.now();
  return new Promise((resolve, reject) => {
    const request = http.get({ port, path, host: '127.0.0.1', agent: false, timeout: timeoutMs, headers }, (response) => {
      let body = '';
      response.on('data', (data) => { body += data; });
      response.on('end', () => resolve({ status: response.statusCode, body, ms: performance.now() - began }));
    });
    request.on('timeout', () => request.destroy(new Error(`${path}: no answer within ${timeoutMs} ms`)));
    request.on('error', reject);
  });
}

export async function counter(port, name) {
  const { body } = await get(port, '/metrics');
  const line = body.split('\n').find((line) => line.startsWith(`${name} `));
  return line === undefined ? 0 : Number(line.slice(name.length + 1));
}

/** A WebSocket that follows a symbol, the demo's if none is named; resolves with the first snapshot. */
export function viewer(port, onState = () => {}, symbol = 'BTCUSDT') {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/ws/heatmap`);
  const snapshot = new Promise((resolve, reject) => {
    socket.on('open', () => socket.send(JSON.stringify({ action: 'subscribe', symbols: [symbol] })));
    socket.on('error', reject);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.type === 'snapshot' || message.type === 'delta') { onState(message); resolve(message); }
    });
  });
  return { socket, snapshot: within(snapshot, PATIENCE_MS, 'a state') };
}

export function within(promise, ms, what) {
  return Promise.race([promise, sleep(ms, undefined, { ref: false }).then(() => { throw new Error(`no ${what} within ${ms} ms`); })]);
}

export async function until(what, look, patienceMs = PATIENCE_MS) {
  const deadline = performance.now() + patienceMs;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > deadline) throw new Error(`never: ${what}`);
    await sleep(50);
  }
}

export function must(holds, what) {
  if (!holds) throw new Error(what);
}

/** It still serves, and stops in order when asked. */
export async function worksAndStops({ port, child, ended }) {
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
export function silent(port, text = '', localAddress = '127.0.0.1') {
  return new Promise((resolve) => {
    const socket = net.connect({ port, host: '127.0.0.1', localAddress });
    socket.pause();
    socket.on('error', () => {});
    socket.on('connect', () => { if (text) socket.write(text); resolve(socket); });
    socket.on('close', () => resolve(socket));
  });
}

export function pipe(name) {
  const path = join(folder, name);
  must(spawnSync('mkfifo', [path]).status === 0, 'mkfifo is missing');
  // Opened for both directions, so that it does not wait for the other side.
  const both = openSync(path, constants.O_RDWR);
  return { path, both };
}

export function quantile(values, q) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))];
}

/** Milliseconds between states for some seconds. */
export async function intervals(port, seconds) {
  const times = [];
  const one = viewer(port, () => times.push(performance.now()));
  await one.snapshot;
  await sleep(seconds * 1_000);
  one.socket.terminate();
  const gaps = times.slice(1).map((time, index) => time - times[index]);
  must(gaps.length > 2, `only ${times.length} states in ${seconds} s`);
  return gaps;
}


/** The program run to its end; its output. */
export function run(args, { env = {}, fails = false } = {}) {
  const ended = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  must((ended.status === 0) !== fails, `liqheat ${args.join(' ')} ended with ${ended.status}: ${ended.stderr}`);
  return ended.stdout + ended.stderr;
}

/** `/ready`: its status and what it names. */
export async function ready(port) {
  const { status, body } = await get(port, '/ready');
  return { status, body };
}

/** A folder of its own for an attack. */
export function freshFolder() {
  return mkdtempSync(join(folder, 'attack-'));
}

/** Stops everything that an attack left running. */
export function stopAll() {
  for (const child of running) child.kill('SIGKILL');
}

/** Keeps a child process of an attack, so that it ends with it. */
export function keep(child) {
  running.add(child);
  child.once('exit', () => running.delete(child));
  return child;
}
