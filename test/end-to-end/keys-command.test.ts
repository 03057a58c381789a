import { beforeAll, expect, test } from 'vitest';
import { callerWith } from '../support/callers.ts';
import { holdfast } from '../support/command-line.ts';
import { expectProblem, ok } from '../support/resources.ts';
import { serveReplica, type ServedReplica } from '../support/served-replicas.ts';

let replica: ServedReplica;

beforeAll(async () => {
  replica = await serveReplica();
});

const keys = async (...args: readonly string[]) => await holdfast(['keys', ...args], replica.database.url);

test('makes a key that works, lists it without its secret, and revokes it everywhere', async () => {
  const made = await keys('create', '--name', 'cron', '--role', 'reader');
  expect(made).toMatchObject({
    code: 0,
    output: expect.stringMatching(/^hf_[A-Za-z0-9]{10}_[A-Za-z0-9]{43}\n$/) as string,
  });
  const token = made.output.trim();
  ok(await callerWith(replica.api, token).get('/v1/assets'));

  const listed = await keys('list', '--json');
  expect(listed.output).not.toContain(token.slice(14));
  const [key] = JSON.parse(listed.output) as { id: string; name: string; role: string }[];
  expect(key).toMatchObject({ name: 'cron', role: 'reader', account: null });
  expect((await keys('list')).output).toContain(`${String(key?.id)}  cron  reader`);

  const revoked = await keys('revoke', String(key?.id));
  expect(revoked).toMatchObject({ code: 0, output: '' });
  expectProblem(await callerWith(replica.api, token).get('/v1/assets'), 401, 'unauthenticated');
  expect(await keys('revoke', String(key?.id))).toMatchObject({ code: 1, output: '' });
});

test.each([
  [['create', '--name', 'x', '--role', 'player'], '--account is required for the role player'],
  [['create', '--name', 'a b', '--role', 'reader'], '--name: "a b" is not an identifier'],
  [['create', '--name', 'x', '--role', 'root'], 'Allowed choices are admin, service, reader, player'],
  [['create', '--role', 'reader'], "required option '--name <name>' not specified"],
  [['revoke', 'nothing'], 'there is no key nothing'],
])('keys %j is refused with what is wrong', async (args, because) => {
  const { code, output, errors } = await keys(...args);
  expect({ code, output }).toEqual({ code: 1, output: '' });
  expect(errors).toContain(because);
});
