import { openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from './logging.ts';

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'holdfast-log-'));
});

afterEach(async () => {
  await rm(folder, { recursive: true });
});

test('secrets are left out, wherever they turn up, and flushing writes every line', async () => {
  const file = path.join(folder, 'log');
  // Left open: the logger has a timer of its own that writes to it.
  const fd = openSync(file, 'w');
  const { log, flush } = createLogger({ level: 'info', version: '1.2.3', fd });
  const cause = Object.assign(new Error('refused'), { connectionString: 'postgres://u:hunter2@db/x' });
  log.info({ password: 'hunter2', user: 'u' }, 'top');
  log.info({ request: { headers: { authorization: 'Bearer hunter2', accept: '*/*' } } }, 'nested');
  log.error({ err: cause }, 'error');
  log.debug({ password: 'hunter2' }, 'below the level');
  flush();
  const written = await readFile(file, 'utf8');
  expect(written).not.toContain('hunter2');
  const [top, nested, error, ...rest] = written
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as unknown);
  expect(top).toMatchObject({ level: 30, msg: 'top', version: '1.2.3', user: 'u', password: '(secret)' });
  expect(nested).toMatchObject({ request: { headers: { authorization: '(secret)', accept: '*/*' } } });
  expect(error).toMatchObject({ level: 50, err: { message: 'refused', connectionString: '(secret)' } });
  expect(rest).toEqual([]);
});
