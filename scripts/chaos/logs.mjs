// A log that cannot be written, or that nobody reads.

import { closeSync, constants, openSync } from 'node:fs';

import { counter, demo, pipe, serve, until, viewer, worksAndStops, must } from './harness.mjs';

export default {
  async 'log-full-disk'() {
    const full = openSync('/dev/full', 'w');
    const server = await serve(demo(), { stderr: full });
    closeSync(full);
    const dropped = await counter(server.port, 'liqheat_log_lines_dropped_total');
    must(dropped > 0, 'no line was counted as dropped');
    return `stopped in order after ${await worksAndStops(server)} ms; ${dropped} lines dropped`;
  },

  async 'log-closed-pipe'() {
    const { path, both } = pipe('closed');
    const writing = openSync(path, constants.O_WRONLY);
    const server = await serve(demo(), { stderr: writing });
    closeSync(writing);
    closeSync(both);
    await until('a line is dropped', async () => {
      viewer(server.port).snapshot.catch(() => {});
      return (await counter(server.port, 'liqheat_log_lines_dropped_total')) > 0;
    });
    return `stopped in order after ${await worksAndStops(server)} ms`;
  },

  async 'log-unread'() {
    const { path } = pipe('unread');
    const writing = openSync(path, constants.O_WRONLY);
    const server = await serve(demo('--log', 'trace'), { stderr: writing });
    let connections = 0;
    await until('the queue of the log is full', async () => {
      const round = Array.from({ length: 100 }, () => viewer(server.port));
      await Promise.all(round.map((one) => one.snapshot));
      for (const { socket } of round) socket.terminate();
      connections += round.length;
      return (await counter(server.port, 'liqheat_log_lines_dropped_total')) > 0;
    });
    return `${connections} sockets served; stopped in order after ${await worksAndStops(server)} ms`;
  },
};
