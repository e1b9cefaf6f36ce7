// Three bundles of the same source: an ES module for pages and bundlers, an ES module for Node (which uses
// the package `ws` before Node 22), and a plain script that puts `HeatmapWebSocket` on the global object.
import { defineConfig } from 'vite';

export default defineConfig(({ mode }) => {
    const kinds = {
        production: { entry: 'src/index.ts', format: 'es', file: 'liqheat-client.js' },
        node: { entry: 'src/node.ts', format: 'es', file: 'liqheat-client.node.js' },
        script: { entry: 'src/script.ts', format: 'iife', file: 'liqheat-client.script.js' },
    };
    const kind = kinds[mode];
    return {
        build: {
            target: 'es2022',
            outDir: 'dist',
            emptyOutDir: false,
            minify: true,
            reportCompressedSize: false,
            lib: { entry: kind.entry, formats: [kind.format], name: 'liqheat', fileName: () => kind.file },
            // Vite leaves the blanks of ES modules alone; a bundler that reads these needs none.
            rolldownOptions: { external: [/^node:/, 'ws'], output: { minify: true } },
        },
    };
});
