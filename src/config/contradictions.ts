import { connectionsOf } from './connections.ts';
import type { Config } from './settings.ts';

/** Settings that are valid each by itself, but not together. */
export function contradictions(config: Config): string[] {
  const faults: string[] = [];
  const { transactions, background, reads } = connectionsOf(config);
  if (reads < 1) {
    faults.push(
      `DB_MAX_CONNS must be more than ${transactions + background}, which is LANES + PATIENT_WORKERS + 1${
        background === 0 ? '' : ' + DB_BACKGROUND_CONNS'
      }, so that reads have connections too`,
    );
  }
  if (config.DB_BATCH_LOCK_WAIT > config.DB_LOCK_TIMEOUT)
    faults.push('DB_BATCH_LOCK_WAIT must not be longer than DB_LOCK_TIMEOUT');
  if (config.DB_LOCK_TIMEOUT >= config.DB_STATEMENT_TIMEOUT) {
    faults.push(
      'DB_LOCK_TIMEOUT must be shorter than DB_STATEMENT_TIMEOUT, or a lock wait ends as a slow statement',
    );
  }
  if (config.DB_STATEMENT_TIMEOUT >= config.DB_TRANSACTION_TIMEOUT) {
    faults.push('DB_STATEMENT_TIMEOUT must be shorter than DB_TRANSACTION_TIMEOUT');
  }
  if (config.CONSUMER_RETRY_BACKOFF > config.CONSUMER_RETRY_BACKOFF_MAX)
    faults.push('CONSUMER_RETRY_BACKOFF must not be longer than CONSUMER_RETRY_BACKOFF_MAX');
  if (config.NATS_MAX_AGE > 0 && config.NATS_DUPLICATE_WINDOW > config.NATS_MAX_AGE)
    faults.push('NATS_DUPLICATE_WINDOW must not be longer than NATS_MAX_AGE');
  if (2 * config.CONSUMER_TURN > config.CONSUMER_TURN_TIMEOUT)
    faults.push('CONSUMER_TURN must not be longer than half of CONSUMER_TURN_TIMEOUT');
  if (config.NATS_TIMEOUT >= config.CONSUMER_TURN_TIMEOUT)
    faults.push('NATS_TIMEOUT must be shorter than CONSUMER_TURN_TIMEOUT');
  if (config.NATS_CREDS_FILE !== null && config.NATS_URL === null)
    faults.push('NATS_CREDS_FILE is set, but NATS_URL is not');
  const { JWT_SECRET, JWT_JWKS, JWT_ISSUER, JWT_AUDIENCE } = config;
  if (JWT_SECRET !== null && JWT_JWKS !== null)
    faults.push('JWT_SECRET and JWT_JWKS exclude each other: tokens are signed in one way');
  const tokens = JWT_SECRET !== null || JWT_JWKS !== null;
  for (const [name, value] of Object.entries({ JWT_ISSUER, JWT_AUDIENCE })) {
    if (tokens && value === null) faults.push(`${name} is required with JWT_SECRET or JWT_JWKS`);
    if (!tokens && value !== null) faults.push(`${name} is set, but neither JWT_SECRET nor JWT_JWKS is`);
  }
  if (config.SHUTDOWN_GRACE >= config.SHUTDOWN_TIMEOUT)
    faults.push('SHUTDOWN_GRACE must be shorter than SHUTDOWN_TIMEOUT');
  if (config.WORKERS > 1 && config.HANDOVER_GRACE >= config.SHUTDOWN_TIMEOUT)
    faults.push('HANDOVER_GRACE must be shorter than SHUTDOWN_TIMEOUT');
  if (config.WORKER_RESTART_BACKOFF > config.WORKER_RESTART_BACKOFF_MAX)
    faults.push('WORKER_RESTART_BACKOFF must not be longer than WORKER_RESTART_BACKOFF_MAX');
  return faults;
}
