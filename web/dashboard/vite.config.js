import { defineConfig } from 'vite';

const server = process.env.LIQHEAT_URL ?? 'http://127.0.0.1:8000';

const proxy = { '^/(v1|prices|liquidations|ws|health)': { target: server, ws: true } };

export default defineConfig({
    base: './',
    build: {
        target: 'es2022',
        outDir: 'dist',
        emptyOutDir: true,
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        reportCompressedSize: true,
    },
    // `npm run dev` and `npm run preview` serve the page of the moment beside a running server.
    server: { proxy },
    preview: { proxy },
});
