// Readers that stand still, and readers that ask for everything.

import { setTimeout as sleep } from 'node:timers/promises';

import { PATIENCE_MS, counter, demo, get, intervals, must, quantile, serve, silent, until, viewer, worksAndStops } from './harness.mjs';

export default {
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
