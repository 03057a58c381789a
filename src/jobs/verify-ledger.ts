import type { JsonObject } from '../domain/json.ts';
import type { VerificationOutcome } from '../verification/verifications.ts';
import type { JobLog } from './job-log.ts';
import type { Job, JobContext } from './job.ts';

interface Parts {
  readonly verifications: {
    run(actor: string, gone: AbortSignal): Promise<VerificationOutcome>;
  };
  /** Null: never by itself. */
  readonly schedule: string | null;
  readonly log: JobLog;
}

/**
 * Verifies the whole ledger, keeps the result as that of `schedule`, and logs what is wrong as an error. Cut off by a stop,
 * it begins anew on another replica; while somebody verifies by hand on this one, it waits as if it had failed.
 */
export function verifyLedger({ verifications, schedule, log }: Parts): Job {
  return {
    name: 'verify-ledger',
    schedule: schedule ?? undefined,
    // Over some hours: the last ones are six hours apart.
    attemptsMax: 10,
    endsAtOnce: true,
    run: async (_payload: JsonObject, { signal }: JobContext) => {
      const outcome = await verifications.run('schedule', signal).catch((error: unknown) => {
        log.error({ err: error }, 'the scheduled verification failed');
        throw error;
      });
      if (outcome.kind !== 'done') throw new Error(reasons[outcome.kind]);
      const { id, discrepancyCount, discrepancies, counts, startedAtMs, finishedAtMs } = outcome.record;
      const fields = { verification: id, ms: finishedAtMs - startedAtMs, counts };
      if (discrepancyCount === 0) log.info(fields, 'the scheduled verification found the ledger sound');
      else
        log.error(
          { ...fields, discrepancyCount, first: discrepancies[0] },
          'the scheduled verification found discrepancies',
        );
    },
  };
}

const reasons: Readonly<Record<Exclude<VerificationOutcome['kind'], 'done'>, string>> = {
  busy: 'another verification is under way on this replica',
  stopping: 'this replica is stopping',
  abandoned: 'told to end',
};
