import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { settings } from '../../src/config/settings.ts';

test('docker-compose.yml hands on every setting, but those that it has no use for', async () => {
  const text = await readFile(new URL('../../docker-compose.yml', import.meta.url), 'utf8');
  const [, environment] = /^x-holdfast:.*?^ {2}environment:\n(.*?)^\S/ms.exec(text) ?? [];
  if (environment === undefined) throw new Error('docker-compose.yml gives the replicas no environment');
  const given = [...environment.matchAll(/^ {4}([A-Z_]+):/gm)].map(([, name]) => name);
  // The image decides where a replica listens; a container runs one replica, and no pooler stands before the database.
  const unused = /^(HOST|PORT|DATABASE_DIRECT_URL|WORKERS|WORKER_.*|HANDOVER_GRACE)$/;
  const expected = Object.keys(settings).filter((name) => !unused.test(name));
  expect(given.toSorted()).toEqual(expected.toSorted());
});
