/** The direction of the layers: a file may import from its own layer and those before it, never from those after it. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';

const WEB = new URL('../../..', import.meta.url).pathname;
const LAYERS: Record<string, readonly string[]> = {
    'client/src': ['wire', 'model', 'transport', 'connection'],
    'dashboard/src': ['wire', 'transport', 'model', 'state', 'data', 'render', 'ui', 'panels', 'app'],
};

for (const [folder, layers] of Object.entries(LAYERS)) {
    test(`${folder}: ${layers.join(' <- ')}`, () => {
        for (const [place, layer] of layers.entries()) {
            for (const name of readdirSync(join(WEB, folder, layer))) {
                const text = readFileSync(join(WEB, folder, layer, name), 'utf8');
                for (const [, target] of text.matchAll(/from '\.\.\/(\w+)\//g)) {
                    const imported = layers.indexOf(target ?? '');
                    assert.ok(imported >= 0 && imported < place, `${layer}/${name} imports from ${target}`);
                }
            }
        }
    });
}

test('files stay small enough to hold in mind', () => {
    for (const [folder, layers] of Object.entries(LAYERS)) {
        for (const layer of layers) {
            const written = readdirSync(join(WEB, folder, layer)).filter((name) => !name.endsWith('.generated.ts'));
            for (const name of written) {
                const lines = readFileSync(join(WEB, folder, layer, name), 'utf8').split('\n').length;
                assert.ok(lines <= 600, `${folder}/${layer}/${name} has ${lines} lines`);
            }
        }
    }
});
