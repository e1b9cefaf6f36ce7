// What a live venue may say: a stand-in of Binance on this machine, with odd rows, numbers that cannot be held, and a clock
// that is not ours.

import http from 'node:http';
import { join } from 'node:path';

import { WebSocketServer } from '../../web/node_modules/ws/wrapper.mjs';
import { freshFolder, get, must, ready, serve, until, viewer } from './harness.mjs';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;

/** A venue with one contract whose klines of the past `change` may alter; its clock is `aheadMs` before ours. */
async function exchange({ symbol, price, aheadMs = 0, change = (row) => row, listed = [] }) {
  const now = () => Date.now() + aheadMs;
  const began = now();
  const minute = (openTime) => {
    const volume = 1_000 + (openTime / MINUTE) % 100;
    const text = (factor) => (price * factor).toFixed(7);
    return change([openTime, text(1), text(1.001), text(0.999), text(1), String(volume), openTime + MINUTE - 1, '0', 10, String(volume / 2), '0', '0'], began);
  };
  const klines = (query) => {
    const limit = Number(query.get('limit') ?? 500);
    const to = Math.min(Number(query.get('endTime') ?? now()), now());
    const from = Number(query.get('startTime') ?? to - limit * MINUTE);
    const rows = [];
    for (let at = Math.ceil(from / MINUTE) * MINUTE; at <= to && rows.length < limit; at += MINUTE) rows.push(minute(at));
    return rows;
  };
  const routes = {
    '/fapi/v1/time': () => ({ serverTime: now() }),
    '/fapi/v1/exchangeInfo': () => ({
      timezone: 'UTC', serverTime: now(),
      symbols: [...listed, { symbol, pair: symbol, contractType: 'PERPETUAL', status: 'TRADING' }],
    }),
    '/fapi/v1/klines': klines,
    '/fapi/v1/markPriceKlines': klines,
    '/fapi/v1/openInterest': () => ({ openInterest: '50000', symbol, time: now() }),
    '/futures/data/openInterestHist': () => [],
    '/fapi/v1/fundingRate': () => [],
    '/fapi/v1/aggTrades': () => [],
  };
  const server = http.createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url, 'http://venue');
    const route = routes[pathname];
    response.writeHead(route ? 200 : 404, { 'content-type': 'application/json', 'x-mbx-used-weight-1m': '1' });
    response.end(JSON.stringify(route ? route(searchParams) : { code: -1, msg: 'no such route' }));
  });
  const sockets = new WebSocketServer({ server });
  let trade = 1_000;
  sockets.on('connection', (socket) => {
    socket.on('message', (data) => {
      const { id, params = [] } = JSON.parse(String(data));
      socket.send(JSON.stringify({ result: null, id }));
      const say = (kind, data) => {
        const topic = `${symbol.toLowerCase()}@${kind}`;
        if (params.includes(topic)) socket.send(JSON.stringify({ stream: topic, data: { E: now(), s: symbol, ...data } }));
      };
      let closed = Math.floor(now() / MINUTE) * MINUTE;
      const tick = setInterval(() => {
        const text = price.toFixed(7);
        trade += 1;
        say('markPrice@1s', { e: 'markPriceUpdate', p: text, i: text, P: text, r: '0.0001', T: Math.ceil(now() / (8 * HOUR)) * 8 * HOUR });
        say('aggTrade', { e: 'aggTrade', a: trade, p: text, q: '100', f: trade, l: trade, T: now(), m: false, st: 1 });
        if (now() >= closed + MINUTE) {
          const [t, o, h, l, c, v, T, , n, V] = minute(closed);
          say('kline_1m', { e: 'kline', k: { t, T, s: symbol, i: '1m', f: 1, L: 2, o, h, l, c, v, n, x: true, q: '0', V, Q: '0', B: '0' } });
          closed += MINUTE;
        }
      }, 1_000);
      socket.on('close', () => clearInterval(tick));
    });
  });
  await new Promise((resolve) => { server.listen(0, '127.0.0.1', resolve); });
  const address = `127.0.0.1:${server.address().port}`;
  const stop = () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    server.close();
  };
  const follow = (...more) => serve(['serve', '--symbols', symbol, '--venues', 'binance', '--fill-days', '0.25', '--ws-update-interval', '1',
    '--venue-url', `binance=http://${address},binance=ws://${address}`, '--db', join(freshFolder(), 'live.duckdb'), ...more]);
  return { follow, stop, began, minute };
}

/** The stored minutes of the past hours by opening time. */
async function minutes(port, symbol) {
  const { data } = JSON.parse((await get(port, `/prices/klines?symbol=${symbol}&interval=1m&limit=1000`)).body);
  return new Map((data ?? []).map((row) => [Date.parse(row.timestamp ?? row.time), row]));
}

export default {
  async 'odd-rows'() {
    const hours = (began, openTime) => Math.round((Math.floor(began / MINUTE) * MINUTE - openTime) / MINUTE);
    const odd = { 100: [5, '1e30'], 101: [5, 'x'], 102: [2, '-1'], 103: [1, ''] };
    const venue = await exchange({
      symbol: '1000SATSUSDT', price: 0.000015,
      listed: [
        { symbol: 'SOONUSDT', contractType: '', status: 'PENDING_TRADING' },
        { symbol: null, contractType: 7 },
        { symbol: 'ODDUSDT', contractType: 'PERPETUAL', status: null },
      ],
      change: (row, began) => {
        const [index, text] = odd[hours(began, row[0])] ?? [];
        return index === undefined ? row : row.with(index, text);
      },
    });
    try {
      const server = await venue.follow();
      const one = viewer(server.port, undefined, '1000SATSUSDT');
      await one.snapshot;
      one.socket.terminate();
      const at = (back) => Math.floor(venue.began / MINUTE) * MINUTE - back * MINUTE;
      const rows = await until('the past is filled on both sides of the odd rows', async () => {
        const found = await minutes(server.port, '1000SATSUSDT');
        return [98, 99, 104, 105, 300].every((back) => found.has(at(back))) && found;
      });
      const { status, body } = await ready(server.port);
      must(status === 200, `/ready is ${status}: ${body}`);
      const kept = [100, 101].filter((back) => rows.has(at(back))).length;
      must(kept === 2, 'a row whose volume cannot be held lost its prices');
      must([102, 103].every((back) => !rows.has(at(back))), 'a row without a price is stored');
      return `4 odd rows of a page and 3 of the list: ${rows.size} minutes are stored, two of the odd ones without volume, /ready 200`;
    } finally {
      venue.stop();
    }
  },

  async 'clock-two-hours-off'() {
    const venue = await exchange({ symbol: 'BTCUSDT', price: 100_000, aheadMs: 2 * HOUR });
    try {
      const server = await venue.follow();
      const told = await until('/ready names the clock', async () => {
        const { body } = await ready(server.port);
        return /behind the clock of binance/.test(body) && body;
      });
      const one = viewer(server.port);
      const state = await one.snapshot;
      one.socket.terminate();
      const behind = (Date.now() + 2 * HOUR - Date.parse(state.timestamp)) / 1_000;
      must(behind < 120, `the state is ${Math.round(behind)} s older than the venue's clock`);
      return `${JSON.parse(told).reasons.find((reason) => reason.includes('clock'))}; the state is ${Math.round(behind)} s behind the venue's clock`;
    } finally {
      venue.stop();
    }
  },
};
