// Load on /ws/heatmap with k6: viewers come in stages, look for a while, leave and come back.
//
//   k6 run load/ws_load_test.js
//   k6 run -e URL=ws://127.0.0.1:8000/ws/heatmap -e SYMBOLS=BTCUSDT,ETHUSDT load/ws_load_test.js
//   k6 run -e MODE=delta load/ws_load_test.js      # differences after the first state, as the client libraries ask for
//
// The server must let one address have them all:
//
//   liqheat demo --ws-max-connections-per-address 2000 --ws-max-new-connections-per-minute 60000
//
// Latency is the time between the stamp that the server puts into a message and its arrival. The stamp of a `pong` is
// the server's clock, always. That of a state is market time: of a live market (and of `liqheat-bench server`) it is
// the same clock, of a played one it is another, and then states are left out. Both ends must share a clock: run k6 on
// the server's machine, or on one that keeps time as well.
//
// docs/load_testing.md says how to read the result.

import { check } from 'k6';
import http from 'k6/http';
import { Counter, Rate, Trend } from 'k6/metrics';
import ws from 'k6/ws';

const URL = __ENV.URL || 'ws://127.0.0.1:8000/ws/heatmap';
const BASE = URL.replace(/^ws/, 'http').replace(/\/ws\/heatmap.*$/, '');
const MODE = __ENV.MODE || 'snapshot';
const UPDATE_INTERVAL_S = Number(__ENV.UPDATE_INTERVAL || 5);
const STAY_MS = { least: 15000, most: 25000 };
const PING_EVERY_MS = 5000;
// Parsing the levels of every state would keep k6 busier than the server, and states would wait in k6: after a viewer's first
// state they are read of one in so many, for each viewer at another state.
const LEVELS_OF_ONE_IN = 10;
const LONGEST_HEAD = 512;
// A stamp further away than this is not of this clock.
const SAME_CLOCK_MS = 60000;

const connectionFailed = new Rate('ws_connection_failed');
const latency = new Trend('ws_latency', true);
const bytesPerSecond = new Trend('ws_client_bytes_per_second');
const states = new Counter('ws_states');
const dropped = new Counter('ws_states_dropped');
const serverErrors = new Counter('ws_error_messages');
const lost = new Counter('ws_connections_lost');

const stage = (duration, target) => ({ duration, target });
const LONG = [
  stage('10s', 100),
  stage('10s', 100),
  stage('15s', 500),
  stage('15s', 500),
  stage('20s', 1000),
  stage('30s', 1000),
  stage('15s', 0),
];
// Others can be named: STAGES=10s:200,30s:200,5s:0
const named = (text) => text.split(',').map((one) => stage(one.split(':')[0], Number(one.split(':')[1])));

export const options = {
  scenarios: {
    viewers: {
      executor: 'ramping-vus',
      startVUs: 0,
      stages: __ENV.STAGES ? named(__ENV.STAGES) : LONG,
      gracefulRampDown: '30s',
    },
  },
  thresholds: {
    ws_connection_failed: ['rate<0.01'],
    checks: ['rate>0.999'],
    'ws_latency{stamp:pong}': ['p(95)<500'],
    'ws_latency{stamp:state}': ['p(95)<500'],
    ws_client_bytes_per_second: ['p(95)<51200'],
    ws_states: ['count>0'],
    ws_connections_lost: ['count<1'],
    ws_error_messages: ['count<1'],
  },
  summaryTrendStats: ['min', 'med', 'avg', 'p(90)', 'p(95)', 'p(99)', 'max', 'count'],
};

// The symbols to look at: those named, else those that are served, else BTCUSDT.
export function setup() {
  if (__ENV.SYMBOLS) {
    return { symbols: __ENV.SYMBOLS.split(',') };
  }
  const answer = http.get(`${BASE}/v1/symbols`);
  const served = answer.status === 200 ? answer.json('symbols').map((row) => row.symbol) : [];
  return { symbols: served.length > 0 ? served.slice(0, 10) : ['BTCUSDT'] };
}

const isCount = (value) => Number.isInteger(value) && value >= 0;
const isPrice = (value) => typeof value === 'number' && value > 0;

// Levels of a whole state all have mass; those of a difference are gone where they have none.
function levelsAreRight(levels, isWhole) {
  let below = 0;
  for (const level of levels) {
    if (!isPrice(level.price) || level.price <= below) return false;
    if (!isCount(level.long_density) || !isCount(level.short_density)) return false;
    if (isWhole && level.long_density + level.short_density === 0) return false;
    below = level.price;
  }
  return true;
}

// A message without its levels, which are nearly all of a state and come last; whole where there are none.
function headOf(text) {
  const levels = text.slice(0, LONGEST_HEAD).indexOf(',"data":{');
  return JSON.parse(levels < 0 ? text : `${text.slice(0, levels)}}`);
}

function checkHead(message, symbol, newest) {
  check(message, {
    'state: symbol was asked for': () => message.symbol === symbol,
    'state: timestamp is a time': () => !Number.isNaN(Date.parse(message.timestamp)),
    'state: epoch, seq and hash': () =>
      typeof message.epoch === 'string' && isCount(message.seq) && /^[0-9a-f]{16}$/.test(message.hash),
    'state: newer than the one before': () => newest === undefined || message.seq > newest,
    'state: a difference goes on from the one before': () => message.type === 'snapshot' || message.from === newest,
  });
}

function checkData(data, isWhole) {
  check(data, {
    'state: levels are there': ({ levels }) => Array.isArray(levels) && (levels.length > 0 || !isWhole),
    'state: levels ascend and have mass': ({ levels }) => levelsAreRight(levels || [], isWhole),
    'state: price and counters': (it) =>
      isPrice(it.current_price) && isCount(it.positions_created) && isCount(it.positions_consumed),
  });
}

export default function viewers({ symbols }) {
  const symbol = symbols[__VU % symbols.length];
  const stay = STAY_MS.least + Math.random() * (STAY_MS.most - STAY_MS.least);
  let newest;
  let received = 0;
  let snapshots = 0;
  let began = 0;
  let leaving = false;

  const answer = ws.connect(URL, { tags: { name: 'heatmap' } }, (socket) => {
    socket.on('open', () => {
      began = Date.now();
      socket.send(JSON.stringify({ action: 'subscribe', symbols: [symbol], update_interval: UPDATE_INTERVAL_S, mode: MODE }));
      socket.setInterval(() => socket.send('{"action":"ping"}'), PING_EVERY_MS);
      socket.setTimeout(() => {
        leaving = true;
        socket.close(1000);
      }, stay);
    });
    socket.on('message', (text) => {
      const now = Date.now();
      received += text.length;
      const message = headOf(text);
      switch (message.type) {
        case 'snapshot':
        case 'delta': {
          snapshots += 1;
          states.add(1);
          checkHead(message, symbol, newest);
          if (newest === undefined || (message.seq + __VU) % LEVELS_OF_ONE_IN === 0) {
            checkData(JSON.parse(text).data || {}, message.type === 'snapshot');
          }
          // The first state is as old as the last change of the market; the others are sent when they are made.
          const age = now - Date.parse(message.timestamp);
          if (newest !== undefined && Math.abs(age) < SAME_CLOCK_MS) latency.add(age, { stamp: 'state' });
          newest = message.seq;
          break;
        }
        case 'pong':
          latency.add(now - Date.parse(message.timestamp), { stamp: 'pong' });
          break;
        case 'warning':
          dropped.add(message.dropped_messages || 0);
          break;
        case 'error':
          serverErrors.add(1);
          break;
        default:
      }
    });
    socket.on('close', () => {
      if (!leaving) lost.add(1);
    });
    socket.on('error', (error) => {
      // A close that crosses the server's is no error.
      if (!leaving) console.error(`socket: ${error.error()}`);
    });
  });

  const accepted = check(answer, { 'status is 101': (it) => it && it.status === 101 });
  connectionFailed.add(!accepted);
  if (accepted) {
    check(snapshots, { 'a state came': (count) => count > 0 });
    bytesPerSecond.add(received / Math.max(1, (Date.now() - began) / 1000));
  }
}

// What the server itself measured, at the end: no clock of ours is in it.
export function teardown() {
  const answer = http.get(`${BASE}/metrics`);
  if (answer.status !== 200) return;
  const buckets = new Map();
  for (const [, le, count] of answer.body.matchAll(/^ws_update_latency_seconds_bucket\{le="([^"]+)"[^}]*\} (\d+)/gm)) {
    buckets.set(le, (buckets.get(le) || 0) + Number(count));
  }
  const total = buckets.get('+Inf') || 0;
  const within = [...buckets].find(([, count]) => total > 0 && count >= 0.95 * total);
  const of = (name) => (answer.body.match(new RegExp(`^${name} (\\S+)`, 'm')) || [])[1];
  // States for viewers with an interval of their own are written when it ends, not when the market changes.
  if (total > 0) {
    console.log(`server: 95 % of ${total} states were written within ${within[0]} s of the change`);
  }
  console.log(`server: states skipped for clients that could not take them: ${of('ws_updates_skipped_total')}`);
  console.log(`server: resident memory ${of('process_resident_memory_bytes')} bytes`);
}

const KILO = 1024;

// The four things that were asked for, before everything else.
export function handleSummary(data) {
  const values = (name) => (data.metrics[name] ? data.metrics[name].values : {});
  const ms = (name, at) => (values(name).count ? `${values(name)[at].toFixed(1)} ms` : 'not measured');
  const state = values('ws_states').count || 0;
  const skipped = values('ws_states_dropped').count || 0;
  const share = (100 * skipped) / Math.max(1, state + skipped);
  const failed = Object.entries(data.metrics).flatMap(([name, metric]) =>
    Object.entries(metric.thresholds || {})
      .filter(([, result]) => !result.ok)
      .map(([rule]) => `${name}: ${rule}`),
  );
  const lines = [
    '',
    `latency from the stamp of a state, p95: ${ms('ws_latency{stamp:state}', 'p(95)')} (p99 ${ms('ws_latency{stamp:state}', 'p(99)')})`,
    `latency from the stamp of a pong, p95:  ${ms('ws_latency{stamp:pong}', 'p(95)')} (p99 ${ms('ws_latency{stamp:pong}', 'p(99)')})`,
    `connections at once, at most:           ${values('vus').max}`,
    `connections that failed:                ${((values('ws_connection_failed').rate || 0) * 100).toFixed(3)} % of ${values('ws_sessions').count || 0}`,
    `connections lost before their time:     ${values('ws_connections_lost').count || 0}`,
    `bandwidth of a client, p95:             ${((values('ws_client_bytes_per_second')['p(95)'] || 0) / KILO).toFixed(2)} KB/s`,
    `states received:                        ${state}`,
    `states dropped:                         ${skipped} (${share.toFixed(4)} %)`,
    `checks that held:                       ${values('checks').passes || 0} of ${(values('checks').passes || 0) + (values('checks').fails || 0)}`,
    failed.length === 0 ? 'all thresholds hold' : `thresholds crossed: ${failed.join('; ')}`,
    '',
  ];
  const out = { stdout: lines.join('\n') };
  if (__ENV.RESULT) out[__ENV.RESULT] = JSON.stringify(data, null, 1);
  return out;
}
