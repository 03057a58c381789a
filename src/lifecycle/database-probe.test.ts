import { expect, test } from 'vitest';
import { DatabaseProbe } from './database-probe.ts';

test('those who ask at the same time share one question, and the next one asks again', async () => {
  const answered = Promise.withResolvers<undefined>();
  let pings = 0;
  const probe = new DatabaseProbe({
    ping: async () => {
      pings += 1;
      await answered.promise;
    },
  });
  const checks = [probe.check(), probe.check(), probe.check()];
  answered.resolve(undefined);
  for (const check of await Promise.all(checks)) expect(check.trouble).toBeNull();
  expect(pings).toBe(1);
  await probe.check();
  expect(pings).toBe(2);
});

test('what was wrong is said, and not remembered', async () => {
  let down = true;
  const probe = new DatabaseProbe({
    ping: () => (down ? Promise.reject(new Error('connection refused: secret-host')) : Promise.resolve()),
  });
  expect(await probe.check()).toMatchObject({ trouble: 'the database can’t be reached' });
  down = false;
  expect(await probe.check()).toMatchObject({ trouble: null });
});

test('a database that never answers is waited for no longer than a second', async () => {
  const probe = new DatabaseProbe({ ping: () => Promise.withResolvers<undefined>().promise });
  const { trouble, latencyMs } = await probe.check();
  expect(trouble).toBe('the database does not answer');
  expect(latencyMs).toBeGreaterThanOrEqual(990);
});
