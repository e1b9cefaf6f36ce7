// Prints the licences of everything that is in the program: of each crate it is built from (not of those that only tests
// use), of libduckdb and of the chart library in the page, with their texts.
//
//   node scripts/licences.mjs > THIRD-PARTY.txt

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';

const root = dirname(import.meta.dirname);
const options = { cwd: root, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 };
const target = /^host: (.*)$/m.exec(execFileSync('rustc', ['-vV'], options))[1];
const metadata = JSON.parse(
  execFileSync('cargo', ['metadata', '--format-version', '1', '--locked', '--filter-platform', target], options),
);

const packages = new Map(metadata.packages.map((one) => [one.id, one]));
const nodes = new Map(metadata.resolve.nodes.map((one) => [one.id, one]));
const wanted = new Set();
const queue = metadata.packages.filter((one) => one.name === 'liqheat').map((one) => one.id);
while (queue.length > 0) {
  const id = queue.pop();
  if (wanted.has(id)) continue;
  wanted.add(id);
  for (const dependency of nodes.get(id).deps) {
    if (dependency.dep_kinds.some((kind) => kind.kind === null)) queue.push(dependency.pkg);
  }
}

const isLicence = (name) => /^(licen[cs]e|copying|notice|unlicense)/i.test(name);
const texts = new Map();
const list = [];
function add(name, licence, folder) {
  list.push(`${name}: ${licence}`);
  const files = existsSync(folder) ? readdirSync(folder).filter(isLicence) : [];
  for (const file of files) {
    let text;
    try {
      text = readFileSync(join(folder, file), 'utf8').trim();
    } catch {
      continue;
    }
    texts.set(text, [...(texts.get(text) ?? []), name]);
  }
}

for (const id of wanted) {
  const one = packages.get(id);
  if (one.source === null) continue;
  add(`${one.name} ${one.version}`, one.license ?? `see ${one.license_file}`, dirname(one.manifest_path));
}
list.sort();
add('libduckdb', 'MIT', join(root, '.tools/duckdb'));
add('lightweight-charts', 'Apache-2.0', join(root, 'web/node_modules/lightweight-charts'));

console.log('liqheat is made with the following. Its own licence is in LICENSE-MIT and LICENSE-APACHE.\n');
console.log(list.join('\n'));
for (const [text, names] of texts) {
  console.log(`\n${'='.repeat(100)}\n${names.join(', ')}\n${'-'.repeat(100)}\n\n${text}`);
}
