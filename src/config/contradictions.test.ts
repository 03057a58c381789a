import { expect, test } from 'vitest';
import { ConfigError, readConfig } from '../config.ts';

const given = { DATABASE_URL: 'postgres://db/holdfast', ADMIN_API_KEY: 'k'.repeat(32) };

function faultsOf(env: Readonly<Record<string, string>>): readonly string[] {
  try {
    readConfig({ ...given, ...env });
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.faults;
    throw error;
  }
}

test.each<[Record<string, string>, string]>([
  [
    { DB_BATCH_LOCK_WAIT: '100ms', DB_LOCK_TIMEOUT: '80ms' },
    'DB_BATCH_LOCK_WAIT must not be longer than DB_LOCK_TIMEOUT',
  ],
  [
    { CONSUMER_TURN: '3s', CONSUMER_TURN_TIMEOUT: '5s' },
    'CONSUMER_TURN must not be longer than half of CONSUMER_TURN_TIMEOUT',
  ],
  [
    { NATS_TIMEOUT: '5s', CONSUMER_TURN_TIMEOUT: '5s' },
    'NATS_TIMEOUT must be shorter than CONSUMER_TURN_TIMEOUT',
  ],
  [
    { CONSUMER_RETRY_BACKOFF: '9s', CONSUMER_RETRY_BACKOFF_MAX: '8s' },
    'CONSUMER_RETRY_BACKOFF must not be longer than CONSUMER_RETRY_BACKOFF_MAX',
  ],
])('what is valid by itself and not together is refused: %o', (env, fault) => {
  expect(faultsOf(env)).toEqual([fault]);
  for (const [name, value] of Object.entries(env)) expect(faultsOf({ [name]: value })).not.toContain(fault);
});
