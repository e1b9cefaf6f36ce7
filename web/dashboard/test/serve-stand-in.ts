/** `node .build/dashboard/test/serve-stand-in.js [port]`: the stand-in server by hand, to look at the page. */
import { StandInServer } from './stand-in-server.ts';

const port = Number(process.argv[2] ?? 8100);
const server = new StandInServer({ dist: new URL('../../../dashboard/dist', import.meta.url).pathname, port });
console.log(await server.start());
