// Attacks on the built program, each with a stated result. `make chaos` runs all of them against the release build;
// `make chaos ARGS="log-unread slow-readers"` some.
//
// An attack is a function that starts what it needs, does its worst, and returns a sentence that says what was seen; it
// throws when the program did not hold. Everything stays on this machine, is bounded in count and time, and ends with the
// script. Attacks on a cluster start a Redis of their own.

import { rmSync } from 'node:fs';

import cluster from './chaos/cluster.mjs';
import connections from './chaos/connections.mjs';
import { folder, program, stopAll } from './chaos/harness.mjs';
import logs from './chaos/logs.mjs';
import market from './chaos/market.mjs';
import tokens from './chaos/tokens.mjs';
import venue from './chaos/venue.mjs';

const wanted = process.argv.slice(3);
if (!program) {
  console.error('usage: node scripts/chaos.mjs PROGRAM [ATTACK..]');
  process.exit(2);
}
const attacks = { ...logs, ...connections, ...tokens, ...cluster, ...market, ...venue };

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
    stopAll();
  }
}
rmSync(folder, { recursive: true, force: true });
console.log(failed === 0 ? 'every attack was held' : `${failed} attacks were not held`);
process.exit(failed === 0 ? 0 : 1);
