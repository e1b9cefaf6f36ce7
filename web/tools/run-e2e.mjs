// `npm run e2e`: the page in a real Chromium. With LIQHEAT_URL against that server, otherwise against the stand-in, which
// can also be told to misbehave. With LIQHEAT_BIN (the built program) also that, started, killed and started again.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));

function run(command, args) {
    const { status } = spawnSync(command, args, { cwd: web, stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
}

const real = (process.env.LIQHEAT_URL ?? '') !== '';
if (!real) run('npm', ['run', 'build']);
run('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json']);
const binary = (process.env.LIQHEAT_BIN ?? '') !== '';
const files = [
    'page',
    ...(real
        ? []
        : [
              'reading',
              'tools',
              'alerts',
              'accuracy',
              'measured',
              'layer',
              'access',
              'watch',
              'linked',
              'walk',
              'replay',
              'pwa',
              'trouble',
              'readme',
          ]),
    ...(binary ? ['binary', 'interop', 'equality', 'stream'] : []),
].map((name) => `.build/dashboard/test/${name}.e2e.js`);
run('node', ['--test', '--test-concurrency=1', '--test-timeout=600000', '--test-reporter=spec', ...files, ...process.argv.slice(2)]);
