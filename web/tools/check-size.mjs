// Holds what a visitor downloads to its budget, gzip, as the server sends it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const web = fileURLToPath(new URL('..', import.meta.url));
const KB = 1024;

function sizes(folder, wanted) {
    return readdirSync(join(web, folder), { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile() && wanted.test(entry.name))
        .map((entry) => ({ name: entry.name, bytes: gzipSync(readFileSync(join(entry.parentPath, entry.name)), { level: 9 }).length }));
}

let failed = false;

function hold(what, files, budgetKb) {
    const bytes = files.reduce((sum, file) => sum + file.bytes, 0);
    const over = bytes > budgetKb * KB;
    failed ||= over;
    console.log(`${over ? 'OVER' : 'ok  '} ${what}: ${(bytes / KB).toFixed(1)} KB gzip of ${budgetKb} KB`);
}

const page = sizes('dashboard/dist', /\.(js|css|html|svg)$/);
// What is needed to draw the first picture comes in one go; the rest is loaded after it.
hold(
    'dashboard, first picture',
    page.filter(({ name }) => /^(index|app|early|rows)\b.*\.(js|css|html)$/.test(name)),
    116,
);
// Panels, the map and exports are loaded when somebody wants them; everything else comes with the first visit.
hold(
    'dashboard, first load',
    page.filter(
        ({ name }) =>
            !/-panel-|^(map-view|liquidation-map|exports|wall-rows|watch|measured|symbol-search|date-dialog|key-help)-/.test(name),
    ),
    132,
);
hold('dashboard, with all that is loaded on demand', page, 154);
hold('client, ES module', sizes('client/dist', /^liqheat-client\.js$/), 10);
hold('client, script', sizes('client/dist', /^liqheat-client\.script\.js$/), 9);
process.exit(failed ? 1 : 0);
