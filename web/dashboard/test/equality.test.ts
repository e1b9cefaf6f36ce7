/**
 * The promise of the client, against a server that drops sockets, skips states, sends differences and wrong hashes: every
 * state it hands out is one the server really had at that `seq`, in order.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { WebSocket } from 'ws';
import { HeatmapWebSocket } from '../../client/src/node.ts';
import { type Socket, standardEnvironment } from '../../client/src/transport/environment.ts';
import { StandInServer } from './stand-in-server.ts';
import { seeded } from './synthetic-market.ts';

const FRAMES = Number(process.env.LIQHEAT_EQUALITY_FRAMES ?? 1_000);
const SEED = 20_251_228;

test(`${FRAMES} states under faults, seed ${SEED}: no difference`, { timeout: 60_000 + FRAMES * 20 }, async () => {
    const random = seeded(SEED);
    const server = new StandInServer({ dist: '.', everyMs: 0 });
    const url = (await server.start()).replace('http', 'ws');
    const market = server.markets.get('ETHUSDT');
    assert.ok(market);
    // The same world, but nobody waits between attempts.
    const world = {
        ...standardEnvironment((address, protocols) => new WebSocket(address, protocols) as unknown as Socket),
        random: () => 0,
    };
    let seen = 0;
    let last = 0;
    const errors = new Map<string, number>();
    let heard = (): void => {};
    const client = new HeatmapWebSocket(
        `${url}/ws/heatmap`,
        {
            pollUrl: false,
            onError: ({ code }) => errors.set(code, (errors.get(code) ?? 0) + 1),
            onSnapshot: ({ seq, data, hash }) => {
                assert.ok(seq !== undefined && seq > last, `state ${seq} after ${last}`);
                last = seq;
                seen += 1;
                const truth = market.steps[seq - 1];
                const theirs = truth?.levels.map(({ price, long, short }) => ({ price, long_density: long, short_density: short }));
                assert.deepEqual(data.levels, theirs);
                assert.equal(data.current_price, truth?.close);
                assert.equal(hash?.length, 16);
                heard();
            },
        },
        world,
    );
    client.subscribe(['ETHUSDT'], { mode: 'delta' });
    client.connect();
    const next = (): Promise<void> =>
        new Promise((resolve) => {
            heard = resolve;
        });
    await next();
    while (seen < FRAMES) {
        const waiting = next();
        const dice = random();
        if (dice < 0.02) server.drop();
        else if (dice < 0.03) server.close(4200, 'come back now');
        else if (dice < 0.05) server.trouble.wrongHashOnce = true;
        else if (dice < 0.07) server.loseOne();
        // After a lost frame the next one shows the gap; now and then several states come at once.
        const several = dice > 0.9 || (dice >= 0.05 && dice < 0.07);
        for (let steps = several ? 3 : 1; steps > 0; steps--) server.advance('ETHUSDT');
        await waiting;
    }
    client.disconnect();
    await server.stop();
    assert.ok((errors.get('HASH_MISMATCH') ?? 0) > 3, 'wrong hashes were noticed');
    assert.ok((errors.get('SEQUENCE_GAP') ?? 0) > 3, 'lost frames were noticed');
    // A report may be lost with a socket that is dropped at the same moment.
    assert.ok(server.mismatches().length > 3, 'and reported');
});
