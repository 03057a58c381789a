import type { Config } from './settings.ts';

/** How the connections are shared out: every lane and patient worker can have one at any time, and two are for the editors. */
export function connectionsOf(config: Config): { transactions: number; reads: number } {
  const transactions = config.LANES + config.PATIENT_WORKERS + 2;
  return { transactions, reads: config.DB_MAX_CONNS - transactions };
}
