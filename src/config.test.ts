import { expect, test } from 'vitest';
import { ConfigError, readConfig } from './config.ts';

const given = { DATABASE_URL: 'postgres://db/holdfast', ADMIN_API_KEY: 'k'.repeat(32) };
const tokens = { JWT_SECRET: 's'.repeat(32), JWT_ISSUER: 'https://login.test', JWT_AUDIENCE: 'holdfast' };

function faultsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig(env);
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

test('player tokens are off unless they are set up, and then in one way', () => {
  expect(readConfig(given)).toMatchObject({ JWT_SECRET: null, JWT_JWKS: null, JWT_ISSUER: null });
  expect(readConfig({ ...given, ...tokens })).toMatchObject(tokens);
  const jwks = { JWT_SECRET: '', JWT_JWKS: 'https://login.test/keys' };
  expect(readConfig({ ...given, ...tokens, ...jwks })).toMatchObject({ JWT_JWKS: jwks.JWT_JWKS });
});

test.each<[string, Record<string, string>, string]>([
  ['a short secret', { JWT_SECRET: 's'.repeat(31) }, 'JWT_SECRET must have at least 32 characters'],
  ['two ways to sign', { JWT_JWKS: 'keys.json' }, 'JWT_SECRET and JWT_JWKS exclude each other'],
  ['no issuer', { JWT_ISSUER: '' }, 'JWT_ISSUER is required with'],
  ['no audience', { JWT_AUDIENCE: '' }, 'JWT_AUDIENCE is required with'],
  ['an issuer for nothing', { JWT_SECRET: '', JWT_AUDIENCE: '' }, 'JWT_ISSUER is set, but neither'],
  ['keys over plain http', { JWT_SECRET: '', JWT_JWKS: 'http://login.test/keys' }, 'JWT_JWKS must be'],
])('%s is refused', (_what, env, because) => {
  const [fault, ...more] = faultsOf({ ...given, ...tokens, ...env });
  expect(fault).toContain(because);
  expect(more).toEqual([]);
});

test.each([
  'change-me-change-me-change-me-change-me',
  'an-example-an-example-an-example-an-example',
  'your-secret-0123456789-0123456789-012',
  'hf_dev_0123456789abcdefghijklmnopqrstuvwxyz',
])('in production an example is no secret: %s', (secret) => {
  const env = { ...given, ...tokens, ADMIN_API_KEY: secret, JWT_SECRET: secret };
  expect(faultsOf(env)).toEqual([]);
  const faults = faultsOf({ ...env, NODE_ENV: 'production' });
  expect(faults.map((fault) => fault.split(';')[0])).toEqual([
    'ADMIN_API_KEY looks like an example',
    'JWT_SECRET looks like an example',
  ]);
  expect(faults.join()).not.toContain(secret);
});
