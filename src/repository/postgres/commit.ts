import type { PoolClient } from 'pg';
import { OutcomeUnknownError, UnavailableError } from '../errors.ts';
import { endsConnection, translateError } from './errors.ts';
import type { Pipeline } from './pipeline.ts';
import type { Saving } from './savings.ts';

/**
 * Sends the savings with the commit, and returns only if all of it is kept and confirmed. Throws `OutcomeUnknownError` if
 * it can't tell whether it was.
 */
export async function commit(
  client: PoolClient,
  pipeline: Pipeline,
  savings: readonly Saving[],
): Promise<void> {
  let warning: string | undefined;
  const onNotice = (notice: { code?: string | undefined; message?: string | undefined }): void => {
    // By the code: the word that says how severe it is comes in the server's language.
    if (notice.code !== '00000') warning = notice.message ?? 'a warning';
  };
  client.on('notice', onNotice);
  try {
    const saved = savings.map(({ statement, values }) => pipeline.send(statement, values));
    const results = await Promise.allSettled([...saved, pipeline.control('commit')]);
    const tag = results.at(-1);
    if (tag?.status !== 'fulfilled' || tag.value !== 'COMMIT')
      throw commitFailure(results, savings.length > 0);
    // A wait for a standby that was cut short answers COMMIT as well, and only warns.
    if (warning !== undefined) throw unconfirmed(warning, savings.length > 0);
  } finally {
    client.off('notice', onNotice);
  }
}

/**
 * Locking a row is logged, so a transaction that kept nothing waits for the standby as well: for all that was committed
 * before it, which is what it has read. Unconfirmed, it must not be answered from: a replay would acknowledge an
 * operation that may be on this server alone.
 */
function unconfirmed(warning: string, wrote: boolean): Error {
  return wrote
    ? new OutcomeUnknownError(`the commit warned: ${warning}`)
    : new UnavailableError(`what was read may not last: the commit warned: ${warning}`);
}

/**
 * Why a commit was not answered by COMMIT. A transaction in which a statement failed can't have been kept. An answer
 * that ends the connection does not count, not even to a statement before the commit: a pooler gives it when it loses
 * the server, which may have got further.
 */
function commitFailure(results: readonly PromiseSettledResult<unknown>[], wrote: boolean): Error {
  const failed = results.find((result) => result.status === 'rejected');
  if (failed === undefined) return new Error('the server answered a commit by a rollback without saying why');
  const cause: unknown = failed.reason;
  if (!endsConnection(cause)) return translateError(cause);
  if (!wrote)
    return new UnavailableError(
      'the connection was lost during the commit of a transaction that kept nothing',
      { cause },
    );
  return new OutcomeUnknownError('the connection was lost during the commit', { cause });
}
