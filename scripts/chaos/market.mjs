// Market data that cannot be true, or that is larger than what was thought of. Files as the archive publishes them are
// loaded and served.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { freshFolder, get, must, ready, run, serve, until, viewer } from './harness.mjs';

const BAR_MS = 300_000;
const DAY = '2025-08-25';
const START = Date.parse(`${DAY}T00:00:00Z`);
const KLINES = 'open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore';
const METRICS = 'create_time,symbol,sum_open_interest,sum_open_interest_value,count_toptrader_long_short_ratio,sum_toptrader_long_short_ratio,count_long_short_ratio,sum_taker_long_short_vol_ratio';

/** Numbers between 0 and 1 that are the same in every run. */
function dice(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** A day of bars and open interest of BTCUSDT that wanders; `change` may alter a sample of open interest. */
function wanderingDay(change = (_, sample) => sample) {
  const random = dice(7);
  const bars = [];
  let [price, interest] = [100_000, 90_000];
  for (let index = 0; index < 288; index += 1) {
    const open = price;
    price *= 1 + (random() - 0.5) * 0.004;
    const [high, low] = [Math.max(open, price) * 1.0005, Math.min(open, price) * 0.9995];
    interest *= 1 + (random() - 0.48) * 0.004;
    const volume = 500 + 500 * random();
    bars.push({ open, high, low, close: price, volume, taker: volume * (0.4 + 0.2 * random()), interest: change(index, interest) });
  }
  return bars;
}

/** The archive's files of a symbol for these bars; the folder that holds them. */
function archive(symbol, bars) {
  const folder = join(freshFolder(), 'archive');
  const put = (kind, name, lines) => {
    const place = join(folder, kind);
    mkdirSync(place, { recursive: true });
    writeFileSync(join(place, name), `${lines.join('\n')}\n`);
  };
  const klines = [KLINES];
  const metrics = [METRICS];
  bars.forEach((bar, index) => {
    const opens = START + index * BAR_MS;
    const prices = [bar.open, bar.high, bar.low, bar.close].map((price) => price.toFixed(8));
    klines.push([opens, ...prices, bar.volume, opens + BAR_MS - 1, 1, 5, bar.taker, 1, 0].join(','));
    const closes = new Date(opens + BAR_MS).toISOString().slice(0, 19).replace('T', ' ');
    metrics.push(`${closes},${symbol},${bar.interest},1,,,,`);
  });
  put(`klines/${symbol}/5m`, `${symbol}-5m-${DAY}.csv`, klines);
  put(`metrics/${symbol}`, `${symbol}-metrics-${DAY}.csv`, metrics);
  return folder;
}

function load(folder) {
  const db = join(freshFolder(), 'market.duckdb');
  run(['ingest', folder, '--db', db]);
  return db;
}

/** A database with a day of BTCUSDT. */
export function storedMarket() {
  return { db: load(archive('BTCUSDT', wanderingDay())), symbol: 'BTCUSDT' };
}

/** Sums of the levels of a stored market by side and price. */
async function levels(db, at) {
  const server = await serve(['serve', '--offline', '--db', db]);
  const answer = await until('the map', async () => {
    const { status, body } = await get(server.port, `/v1/map?symbol=BTCUSDT&at=${at}`);
    return status === 200 && JSON.parse(body);
  });
  server.child.kill('SIGTERM');
  await server.ended;
  return answer;
}

export default {
  async 'ninety-three-billion-coins'() {
    const bars = Array.from({ length: 12 }, () => ({
      open: 0.000015, high: 0.0000151, low: 0.0000149, close: 0.000015, volume: 93_000_000_000, taker: 60_000_000_000, interest: 95_000_000_000,
    }));
    const db = load(archive('1000SATSUSDT', bars));
    const server = await serve(['serve', '--offline', '--db', db]);
    const one = viewer(server.port, undefined, '1000SATSUSDT');
    await one.snapshot;
    one.socket.terminate();
    const hour = JSON.parse((await get(server.port, '/prices/klines?symbol=1000SATSUSDT&interval=1h')).body);
    must(hour.data[0].volume === 93_000_000_000 * 12, `the hour's volume is ${hour.data[0].volume}`);
    must((await ready(server.port)).status === 200, '/ready is not 200');
    server.child.kill('SIGTERM');
    must((await server.ended) === 0, 'did not stop in order');
    return '12 bars of 93 billion coins: a state, and 1,116 billion in the hour';
  },

  async 'one-absurd-sample-of-open-interest'() {
    const at = new Date(START + 200 * BAR_MS + 3_600_000).toISOString();
    const map = (factor) => levels(load(archive('BTCUSDT', wanderingDay((index, sample) => (index === 200 ? sample * factor : sample)))), at);
    const [clean, unknown] = [await map(1), await map(0)];
    const seen = [];
    for (const factor of [3, 10, 1_000, 0.001]) {
      const found = await map(factor);
      must(JSON.stringify(found.levels) === JSON.stringify(unknown.levels), `x${factor} is not taken for unknown`);
      const common = overlap(clean, found);
      must(common >= 0.99, `x${factor}: only ${(common * 100).toFixed(1)} % of the map is where it would be without`);
      seen.push(`x${factor} ${(common * 100).toFixed(2)} %`);
    }
    return `part of the map that is where it would be without, an hour later: ${seen.join(', ')}`;
  },
};

/** How much of one map's dollars is in the same level and side of another, between 0 and 1. */
function overlap(one, other) {
  const sums = (map) => new Map(map.levels.flatMap((level) => [[`${level.price} long`, level.long_usd], [`${level.price} short`, level.short_usd]]));
  const [a, b] = [sums(one), sums(other)];
  let [common, larger] = [0, 0];
  for (const key of new Set([...a.keys(), ...b.keys()])) {
    const [usd, otherUsd] = [a.get(key) ?? 0, b.get(key) ?? 0];
    common += Math.min(usd, otherUsd);
    larger += Math.max(usd, otherUsd);
  }
  return common / larger;
}
