import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { extname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants } from 'node:zlib';
import { defineConfig } from 'vite';

const server = process.env.LIQHEAT_URL ?? 'http://127.0.0.1:8000';

const proxy = { '^/(v1|prices|liquidations|data|ws|health)': { target: server, ws: true } };

const dist = fileURLToPath(new URL('dist', import.meta.url));
const WORKER = 'sw.js';
/** Of what the entry of the page loads as its first act. */
const APP = 'src/app/app.ts';
const PACKED = new Set(['.html', '.js', '.css', '.svg', '.webmanifest']);

/** Tells the service worker which files to keep, and a version that changes with any of them. */
const keepFiles = {
    name: 'keep-files',
    apply: 'build',
    closeBundle() {
        const paths = readdirSync(dist, { recursive: true, withFileTypes: true })
            .filter((entry) => entry.isFile() && entry.name !== WORKER)
            .map((entry) => relative(dist, join(entry.parentPath, entry.name)).split(sep).join('/'))
            .sort();
        const hash = createHash('sha256');
        for (const path of paths) hash.update(`${path}\n`).update(readFileSync(join(dist, path)));
        const worker = readFileSync(join(dist, WORKER), 'utf8');
        hash.update(worker);
        const filled = worker
            .replaceAll('__FILES__', JSON.stringify(paths.map((path) => (path === 'index.html' ? '' : path))))
            .replaceAll('__VERSION__', JSON.stringify(hash.digest('hex').slice(0, 16)));
        if (filled === worker) throw new Error(`${WORKER} has no place for the files to keep`);
        writeFileSync(join(dist, WORKER), filled);
    },
};

/** The page's code is loaded beside its entry, not after it. */
const preloadApp = {
    name: 'preload-app',
    apply: 'build',
    transformIndexHtml: {
        order: 'post',
        handler(_html, { bundle }) {
            const app = Object.values(bundle).find(({ facadeModuleId }) => facadeModuleId?.split(sep).join('/').endsWith(APP));
            if (app === undefined) throw new Error(`${APP} is no chunk of its own`);
            return [{ tag: 'link', attrs: { rel: 'modulepreload', crossorigin: true, href: `./${app.fileName}` }, injectTo: 'head' }];
        },
    },
};

/** Puts a brotli form beside every text, for the server to send to browsers that take it: a seventh less than gzip. */
const packFiles = {
    name: 'pack-files',
    apply: 'build',
    closeBundle: {
        order: 'post',
        sequential: true,
        handler() {
            for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
                if (!entry.isFile() || !PACKED.has(extname(entry.name))) continue;
                const path = join(entry.parentPath, entry.name);
                const bytes = readFileSync(path);
                const params = { [constants.BROTLI_PARAM_QUALITY]: constants.BROTLI_MAX_QUALITY };
                const packed = brotliCompressSync(bytes, { params: { ...params, [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length } });
                if (packed.length < bytes.length) writeFileSync(`${path}.br`, packed);
            }
        },
    },
};

export default defineConfig({
    base: './',
    plugins: [preloadApp, keepFiles, packFiles],
    build: {
        target: 'es2022',
        outDir: 'dist',
        emptyOutDir: true,
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: true,
        rollupOptions: {
            input: {
                index: fileURLToPath(new URL('index.html', import.meta.url)),
                sw: fileURLToPath(new URL('src/service-worker.ts', import.meta.url)),
            },
            // A service worker keeps its address; what it is of is in its content.
            output: { entryFileNames: ({ name }) => (name === 'sw' ? WORKER : 'assets/[name]-[hash].js') },
        },
    },
    // `npm run dev` and `npm run preview` serve the page of the moment beside a running server.
    server: { proxy },
    preview: { proxy },
});
