import { connectionsOf } from '../config/connections.ts';
import type { Config } from '../config/settings.ts';
import type { PlayerTokenSettings } from '../identity/player-tokens.ts';
import type { PostgresSettings } from '../repository/postgres/repository.ts';
import type { VerifierSettings } from '../verification/verifier.ts';

/** Null: players have no tokens here. That the settings go together has been checked. */
export function playerTokensOf(config: Config): PlayerTokenSettings | null {
  const { JWT_SECRET, JWT_JWKS, JWT_ISSUER: issuer, JWT_AUDIENCE: audience } = config;
  if (issuer === null || audience === null) return null;
  if (JWT_SECRET !== null) return { keys: { secret: JWT_SECRET }, issuer, audience };
  return JWT_JWKS === null ? null : { keys: { jwks: JWT_JWKS }, issuer, audience };
}

/** How a verification goes about it. */
export function verifierSettings(config: Config): VerifierSettings {
  return {
    pageRows: config.VERIFY_PAGE_ROWS,
    pauseMs: config.VERIFY_PAUSE,
    discrepanciesMax: config.VERIFY_DISCREPANCIES_MAX,
  };
}

/** How the repository uses its database. */
export function postgresSettings(config: Config, version: string): PostgresSettings {
  const { transactions, background, reads } = connectionsOf(config);
  return {
    connectionString: config.DATABASE_URL,
    applicationName: `holdfast ${version}`,
    maxTransactionConnections: transactions,
    maxReadConnections: reads,
    // A pool has room for one at least; where there is no background work, none is opened.
    maxBackgroundConnections: Math.max(1, background),
    backgroundConnectionString: config.DATABASE_DIRECT_URL ?? config.DATABASE_URL,
    acquireTimeoutMs: config.DB_ACQUIRE_TIMEOUT,
    idleConnectionMs: config.DB_MAX_CONN_IDLE_TIME,
    connectionLifetimeMs: config.DB_MAX_CONN_LIFETIME,
    transactionTimeoutMs: config.DB_TRANSACTION_TIMEOUT,
    lockTimeoutMs: config.DB_LOCK_TIMEOUT,
    statementTimeoutMs: config.DB_STATEMENT_TIMEOUT,
    idleTimeoutMs: config.DB_IDLE_IN_TRANSACTION_TIMEOUT,
    connectionCheckMs: config.DB_CONNECTION_CHECK_INTERVAL,
    namedStatements: config.DB_NAMED_STATEMENTS,
  };
}
