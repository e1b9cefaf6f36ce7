// Values, messages and servers that do not belong into a group of servers. Each attack has a Redis of its own.

import { spawn, spawnSync } from 'node:child_process';
import net from 'node:net';

import { freshFolder, get, keep, must, ready, serve, until, viewer } from './harness.mjs';
import { storedMarket } from './market.mjs';

const SYMBOL = 'BTCUSDT';

async function freePort() {
  const listener = net.createServer();
  await new Promise((resolve) => { listener.listen(0, '127.0.0.1', resolve); });
  const { port } = listener.address();
  await new Promise((resolve) => { listener.close(resolve); });
  return port;
}

/** A Redis of its own; `command` gives what it answers, `publish` sends bytes as they are. */
async function redis() {
  const port = await freePort();
  const cli = (args, input) => spawnSync('redis-cli', ['-p', String(port), ...args], { input, maxBuffer: 1 << 26 });
  keep(spawn('redis-server', ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', freshFolder()], { stdio: 'ignore' }));
  const command = (...args) => cli(args).stdout.subarray(0, -1);
  await until('Redis answers', async () => String(command('ping')) === 'PONG');
  return {
    command,
    publish: (channel, bytes) => must(cli(['-x', 'publish', channel], bytes).status === 0, 'publish failed'),
    env: { REDIS_ENABLED: 'true', REDIS_URL: `redis://127.0.0.1:${port}` },
  };
}

const fast = ['--ws-update-interval', '0.25', '--ws-status-interval', '1'];
const maker = ({ env }) => serve(['demo', '--days', '1', '--speed', '600', ...fast], { env });
const edge = ({ env }) => serve(['serve', '--role', 'edge', ...fast], { env });

/** Epoch and seq of a server's board; `undefined` without one. */
async function board({ port }) {
  const { boards } = JSON.parse((await get(port, '/ws/stats')).body);
  return boards[SYMBOL]?.epoch ? boards[SYMBOL] : undefined;
}

const follows = (server) => until('the edge has states', async () => (await board(server))?.seq > 3);

/** Waits until two servers are at the same state, which moves meanwhile. An edge may have given its run a name of its own. */
async function agree(one, other) {
  await until('both are at one state', async () => {
    const [a, b] = await Promise.all([board(one), board(other)]);
    return a && b && a.seq === b.seq && a.hash === b.hash;
  });
}

function varint(bytes, at) {
  let value = 0n;
  for (let shift = 0n; ; shift += 7n) {
    const byte = bytes[at];
    at += 1;
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, at };
  }
}

function written(value) {
  const out = [];
  let rest = BigInt(value);
  do {
    out.push(Number(rest & 0x7fn) | (rest > 0x7fn ? 0x80 : 0));
    rest >>= 7n;
  } while (rest > 0n);
  return Buffer.from(out);
}

/** The stored state of a symbol, a whole one, with another seq: what a broken or hostile member might publish. */
function withSeq(message, seq) {
  // Version, kind, feed state; then token, group, published, bin, length of the state.
  let at = 3;
  for (let field = 0; field < 4; field += 1) ({ at } = varint(message, at));
  const head = message.subarray(0, at);
  const length = varint(message, at);
  const body = message.subarray(length.at, length.at + Number(length.value));
  // Kind of the state (a delta), hash, seq, and how far back it begins.
  must(body[0] === 0x11, `a stored state begins with ${body[0]}`);
  const old = varint(body, 9);
  const back = varint(body, old.at);
  const state = Buffer.concat([body.subarray(0, 9), written(seq), written(0), body.subarray(back.at)]);
  return Buffer.concat([head, written(state.length), state, message.subarray(length.at + Number(length.value))]);
}

export default {
  async 'far-seq'() {
    const broker = await redis();
    const producer = await maker(broker);
    const reader = await edge(broker);
    await follows(reader);
    let seq = 2n ** 50n;
    await until('the far state is taken in', async () => {
      seq += 1n;
      broker.publish(`heatmap:${SYMBOL}`, withSeq(broker.command('get', `heatmap:${SYMBOL}:state`), seq));
      return (await board(reader)).seq >= 2 ** 50;
    });
    const began = performance.now();
    await agree(producer, reader);
    const seconds = (performance.now() - began) / 1_000;
    must((await ready(reader.port)).status === 200, '/ready of the edge is not 200');
    return `the edge follows the producer again ${seconds.toFixed(1)} s after a message with seq 2^50`;
  },

  async 'foreign-keys'() {
    const broker = await redis();
    const producer = await maker(broker);
    const reader = await edge(broker);
    await agree(producer, reader);
    const keys = ['heatmap:fence', 'heatmap:lease', 'heatmap:symbols', 'heatmap:group', `heatmap:${SYMBOL}:state`];
    const values = [['set', 'text'], ['set', '1e308'], ['set', '9007199254740993'], ['rpush', '1'], ['hset', 'a', 'b']];
    let tried = 0;
    for (const [kind, ...rest] of values) {
      for (const key of keys) {
        broker.command('del', key);
        broker.command(kind, key, ...rest);
        tried += 1;
      }
      const before = await board(reader);
      await until('states go on', async () => {
        const now = await board(reader);
        return now && (now.epoch !== before?.epoch || now.seq > before.seq);
      });
      await agree(producer, reader);
    }
    await until('both are ready', async () => (await ready(producer.port)).status === 200 && (await ready(reader.port)).status === 200);
    return `${tried} foreign values in ${keys.length} keys: states went on after each`;
  },

  async 'demo-among-servers'() {
    const broker = await redis();
    const { db, symbol } = storedMarket();
    must(symbol === SYMBOL, symbol);
    const producer = await serve(['serve', '--offline', '--db', db, ...fast], { env: broker.env });
    const reader = await edge(broker);
    await agree(producer, reader);
    const kept = await board(reader);
    const simulated = await maker(broker);
    await until('the demo says why it takes no part', async () => (await ready(simulated.port)).body.includes('REDIS_CHANNEL_PREFIX'));
    producer.child.kill('SIGKILL');
    await until('the lease has run out', async () => String(broker.command('exists', 'heatmap:lease')) === '0');
    // A member would have led within half a second.
    const own = await board(simulated);
    await until('the demo makes states of its own', async () => (await board(simulated)).seq > (own?.seq ?? 0) + 20);
    must(String(broker.command('exists', 'heatmap:lease')) === '0', 'the demo took the lease');
    const now = await board(reader);
    must(now.epoch === kept.epoch, 'viewers of the edge see the simulated market');
    return 'the demo neither led nor reached a viewer, and /ready names both markets';
  },

  async 'edge-before-its-list'() {
    const broker = await redis();
    const reader = await edge(broker);
    const first = await get(reader.port, `/v1/heatmap?symbol=${SYMBOL}`);
    must(first.status === 503 && first.body.includes('symbol list'), `answered ${first.status} ${first.body}`);
    await maker(broker);
    await until('the list is there', async () => String(broker.command('exists', 'heatmap:symbols')) === '1');
    const began = performance.now();
    await until('it is served', async () => (await get(reader.port, `/v1/heatmap?symbol=${SYMBOL}`)).status === 200);
    const one = viewer(reader.port);
    await one.snapshot;
    one.socket.terminate();
    return `503 with the reason until the list came, a state ${Math.round(performance.now() - began)} ms after it`;
  },

  async 'stale-names'() {
    const broker = await redis();
    const symbols = Array.from({ length: 1_000 }, (_, number) => ({ symbol: `STALE${number}`, listed: true }));
    broker.command('set', 'heatmap:symbols', JSON.stringify({ speed: 1, symbols }));
    const reader = await edge(broker);
    const names = async () => JSON.parse((await get(reader.port, '/v1/symbols')).body).symbols?.length ?? 0;
    await until('it serves them', async () => (await names()) === 1_000);
    await maker(broker);
    await follows(reader);
    const began = performance.now();
    await until('they are dropped', async () => (await names()) === 1 && (await ready(reader.port)).status === 200, 120_000);
    return `the new name is served at once; 1000 stale ones are dropped after ${Math.round((performance.now() - began) / 1_000)} s`;
  },
};
