import { existsSync } from 'node:fs';
import path from 'node:path';
import { hasDatabaseUrl, readConfigWithoutService } from '../config.ts';
import type { VerificationResult } from '../domain/verification.ts';
import { operationTypes } from '../http/operations/index.ts';
import { postgresSettings, verifierSettings } from '../lifecycle/from-config.ts';
import { onStopSignal } from '../lifecycle/signals.ts';
import { ProgressBar } from '../observability/progress-bar.ts';
import { PostgresRepository } from '../repository/postgres/repository.ts';
import { reportOf } from '../verification/report.ts';
import { Verifier } from '../verification/verifier.ts';
import { version } from '../version.ts';

/** Where `dev` keeps its database, below the folder that it is started in. */
const developmentData = path.join('.data', 'postgres');

/**
 * Checks the whole ledger in the database at DATABASE_URL, or, where that is not set, in the one that `dev` keeps here.
 * Answers the exit code: 0 when there is no discrepancy. It only reads, and may run while the service does.
 */
export async function verify({ json }: { json: boolean }): Promise<number> {
  const development = hasDatabaseUrl() || !existsSync(developmentData) ? undefined : await openDevelopment();
  try {
    const result = await verifyAt(development?.url);
    if (result === undefined) return 1;
    process.stdout.write(json ? `${JSON.stringify(reportOf(result), null, 2)}\n` : summaryOf(result));
    return result.discrepancyCount === 0 ? 0 : 1;
  } finally {
    await development?.stop();
  }
}

/** Loaded only here: in production there is nothing to load. */
async function openDevelopment(): Promise<{ url: string; stop: () => Promise<void> }> {
  tell(`DATABASE_URL is not set: verifying the development database in ${developmentData}`);
  const { startEmbeddedPostgres } = await import('../development/embedded-postgres.ts');
  const server = await startEmbeddedPostgres({
    dataFolder: path.resolve(developmentData),
    durable: true,
    log: {
      info: () => undefined,
      warn: (_fields, message) => {
        tell(message);
      },
    },
  });
  return { url: server.url('holdfast'), stop: async () => await server.stop() };
}

/** Undefined: it was interrupted. */
async function verifyAt(databaseUrl: string | undefined): Promise<VerificationResult | undefined> {
  const config = readConfigWithoutService(databaseUrl);
  const repository = PostgresRepository.open(postgresSettings(config, version), () => undefined);
  const interrupted = new AbortController();
  const stopListening = onStopSignal({
    stop: () => {
      interrupted.abort();
    },
    force: () => process.exit(1),
  });
  const bar = new ProgressBar(process.stderr);
  try {
    await repository.checkServer({ info: () => undefined, warn: () => undefined });
    const verifier = new Verifier({
      audit: repository.audit,
      operationTypes,
      settings: verifierSettings(config),
    });
    const result = await verifier.verify({
      signal: interrupted.signal,
      onProgress: (fraction, what) => {
        bar.update(fraction, `checking ${what}`);
      },
    });
    bar.finish(`checked the ledger in ${seconds(result)} s`);
    return result;
  } catch (error) {
    if (!interrupted.signal.aborted) throw error;
    bar.finish('interrupted before it was done');
    return undefined;
  } finally {
    stopListening();
    await repository.close();
  }
}

function summaryOf(result: VerificationResult): string {
  const { counts, discrepancies, discrepancyCount } = result;
  const checked = Object.entries<number>({ ...counts }).map(
    ([what, count]) => `  ${count.toLocaleString('en').padStart(15)} ${inWords(what)}\n`,
  );
  if (discrepancyCount === 0) return `${checked.join('')}Nothing is wrong with it.\n`;
  const more = discrepancyCount - discrepancies.length;
  return [
    ...checked,
    `${discrepancyCount.toLocaleString('en')} discrepancies:\n`,
    ...discrepancies.map(({ kind, message }) => `  ${kind}: ${message}\n`),
    ...(more === 0 ? [] : [`  and ${more.toLocaleString('en')} more\n`]),
  ].join('');
}

/** `purchaseCounts` is "purchase counts". */
function inWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}

function seconds({ startedAtMs, finishedAtMs }: VerificationResult): string {
  return ((finishedAtMs - startedAtMs) / 1000).toFixed(1);
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
