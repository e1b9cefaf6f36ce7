// Keys that are taken back.

import { createSign, generateKeyPairSync } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { demo, freshFolder, get, must, serve, until } from './harness.mjs';

const base64url = (value) => Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

/** A key pair, the key set that holds its public half, and tokens signed with it. */
function signer(kid) {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const set = { keys: [{ ...publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'ES256' }] };
  const token = () => {
    const exp = Math.floor(Date.now() / 1_000) + 600;
    const signed = `${base64url({ typ: 'JWT', alg: 'ES256', kid })}.${base64url({ sub: 'chaos', exp })}`;
    const signature = createSign('sha256').update(signed).sign({ key: privateKey, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  };
  return { set, token };
}

export default {
  async 'key-taken-back'() {
    const path = join(freshFolder(), 'jwks.json');
    const [old, next] = [signer('old'), signer('next')];
    const put = (...signers) => writeFileSync(path, JSON.stringify({ keys: signers.flatMap(({ set }) => set.keys) }));
    put(old, next);
    const server = await serve(demo('--ws-jwt-jwks', path));
    const status = async (token) => (await get(server.port, '/v1/heatmap?symbol=BTCUSDT', { headers: { authorization: `Bearer ${token}` } })).status;
    await until('both keys are accepted', async () => (await status(old.token())) === 200 && (await status(next.token())) === 200);
    const began = performance.now();
    put(next);
    await until('the one that was taken back is refused', async () => (await status(old.token())) === 401);
    const seconds = (performance.now() - began) / 1_000;
    must((await status(next.token())) === 200, 'the other key is refused, too');
    server.child.kill('SIGTERM');
    must((await server.ended) === 0, 'did not stop in order');
    return `a removed key is refused after ${seconds.toFixed(1)} s, the other one is not`;
  },
};
