import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { Api, lines } from '../support/api.ts';
import { createTestDatabase } from '../support/database.ts';
import { query } from '../support/query.ts';
import { adminApiKey, replicaEnv } from '../support/served-replicas.ts';

const root = path.resolve(import.meta.dirname, '../..');

/** An npm script as an operator runs it, with nothing of ours in its environment. */
function npm(args: readonly string[], env: Readonly<Record<string, string | undefined>>) {
  const child = spawn('npm', args, { cwd: root, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const exit = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  const errors = text(child.stderr);
  return { child, exit, errors };
}

test('npm run build && npm run migrate && npm start serve from DATABASE_URL, and a signal ends them well', async () => {
  const { url } = await createTestDatabase();
  await query(url, 'drop schema public cascade; create schema public');
  const home = { HOME: process.env['HOME'] };
  const env = { ...replicaEnv(url, { NODE_ENV: 'production', LOG_LEVEL: 'info' }), ...home };

  for (const script of ['build', 'migrate']) {
    const { child, exit, errors } = npm(['run', script], env);
    child.stdout.resume();
    expect(await exit, await errors).toEqual([0, null]);
  }

  const { child, exit, errors } = npm(['start'], env);
  let address: string | undefined;
  const said: string[] = [];
  for await (const line of createInterface(child.stdout)) {
    said.push(line);
    address = /"url":"(http[^"]+)"/.exec(line)?.[1];
    if (address !== undefined) break;
  }
  if (address === undefined)
    throw new Error(`it never said where it serves:\n${said.join('\n')}${await errors}`);
  child.stdout.resume();

  const api = await Api.of(address, adminApiKey);
  await api.put('/v1/assets/gold', { name: 'Gold', kind: 'currency' });
  await api.put('/v1/assets/sword', { name: 'Sword', kind: 'item' });
  const listing = { price: lines({ gold: 10 }), goods: lines({ sword: 1 }) };
  await api.put('/v1/listings/sword-sale', listing);
  await api.grant('p1', { gold: 10 });
  const bought = await api.purchase('p1', 'sword-sale');
  expect(bought.status, bought.text).toBe(201);
  api.close();
  child.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
}, 120_000);
