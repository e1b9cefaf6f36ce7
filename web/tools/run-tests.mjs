// `npm test`: everything that needs no server. Types and tests are compiled once, run by Node's own runner, and the built
// bundles are held to their budgets.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const web = fileURLToPath(new URL('..', import.meta.url));

function run(command, args) {
    const { status } = spawnSync(command, args, { cwd: web, stdio: 'inherit' });
    if (status !== 0) process.exit(status ?? 1);
}

if (!existsSync(join(web, 'client/dist/liqheat-client.js')) || !existsSync(join(web, 'dashboard/dist/index.html'))) {
    run('npm', ['run', 'build']);
}
run('node', ['tools/make-types.mjs', '--check']);
run('node', ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.test.json']);
run('node', ['node_modules/typescript/bin/tsc', '-p', 'dashboard/tsconfig.json']);

const files = ['.build/client/test', '.build/dashboard/test'].flatMap((folder) =>
    readdirSync(join(web, folder))
        .filter((name) => name.endsWith('.test.js'))
        .map((name) => join(folder, name)),
);
run('node', ['--test', '--test-timeout=300000', '--test-reporter=spec', ...files]);
run('node', ['tools/check-size.mjs']);
