/** What suites of the page begin and end with: one browser for a file, and a server for the file or for each test. */
import { after, afterEach, before, beforeEach } from 'node:test';
import { fileURLToPath } from 'node:url';
import type { Browser } from 'playwright-core';
import { launch } from './browser.ts';
import { type StandInOptions, StandInServer } from './stand-in-server.ts';

/** The built page. */
export const DIST = fileURLToPath(new URL('../../../dashboard/dist', import.meta.url));

export let browser: Browser;
/** The one of the running test. */
export let server: StandInServer;
export let url: string;

/** Called once at the top of a file. `prepare` changes the server before it starts. */
export function setUp(options: Omit<StandInOptions, 'dist'>, prepare: (server: StandInServer) => void = () => {}): void {
    openBrowser();
    beforeEach(() => serve(options, prepare));
    afterEach(() => server.stop());
}

/** The same with one server for all tests of a file, which only read. */
export function setUpShared(options: Omit<StandInOptions, 'dist'>): void {
    openBrowser();
    before(() => serve(options));
    after(() => server.stop());
}

function openBrowser(): void {
    before(async () => {
        browser = await launch();
    });
    after(() => browser.close());
}

/** Another server for the rest of the running test. The one before has to be stopped. */
export async function serve(options: Omit<StandInOptions, 'dist'>, prepare: (server: StandInServer) => void = () => {}): Promise<void> {
    server = new StandInServer({ dist: DIST, ...options });
    prepare(server);
    url = await server.start();
}
