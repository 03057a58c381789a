import type { Config } from './settings.ts';

/** Connections of one replica, by what they are for: together DB_MAX_CONNS. */
export interface ConnectionShares {
  readonly transactions: number;
  readonly background: number;
  readonly reads: number;
}

/**
 * How the connections are shared out: every lane and patient worker can have one at any time, one is for the editors of
 * accounts and the catalog, so many for background work where there is any, and the rest for reads.
 */
export function connectionsOf(config: Config): ConnectionShares {
  const transactions = config.LANES + config.PATIENT_WORKERS + 1;
  const background = config.BACKGROUND_WORK ? config.DB_BACKGROUND_CONNS : 0;
  return { transactions, background, reads: config.DB_MAX_CONNS - transactions - background };
}
