import { expect } from 'vitest';
import { runLoad, type LoadReport } from '../../load/generator.ts';
import { query } from './query.ts';
import { adminApiKey } from './served-replicas.ts';

/** Grants that were asked for over many connections, none of them more than once, and what came of them. */
export interface GrantLoad {
  readonly report: LoadReport;
  /** How many were answered with a receipt. */
  readonly granted: number;
}

/**
 * Keeps 64 connections busy with grants of one gold until it is told to end. A connection that is lost with a request
 * under way counts that one as unanswered: nothing is tried again.
 */
export async function loadWithGrants(
  url: string,
  isOver: () => boolean,
  key = adminApiKey,
): Promise<GrantLoad> {
  let sent = 0;
  const report = await runLoad({
    targets: [url],
    connections: 64,
    path: '/v1/grants',
    headers: { authorization: `Bearer ${key}` },
    next: (connection) => {
      if (isOver()) return undefined;
      sent += 1;
      const body = { account: `loaded.${connection % 16}`, assets: [{ asset: 'gold', quantity: 1 }] };
      return { key: `load-${sent}`, body: JSON.stringify(body) };
    },
  });
  return { report, granted: report.answeredByStatus.get(201) ?? 0 };
}

/** Fails unless the accounts have what was granted, to the unit. */
export async function expectGranted(databaseUrl: string, granted: number): Promise<void> {
  const { rows } = await query(
    databaseUrl,
    `select (select sum(quantity)::int from holdings where account like 'loaded.%') as gold,
       (select count(*)::int from operations where idempotency_key like 'load-%') as operations`,
  );
  expect(rows).toEqual([{ gold: granted, operations: granted }]);
}
