import { readConfigWithoutService } from '../config.ts';
import { timestamp, timestampOrNull } from '../domain/time.ts';
import { postgresSettings } from '../lifecycle/from-config.ts';
import type { ConsumerCursors, ParkedOperation } from '../repository/consumers.ts';
import { PostgresRepository } from '../repository/postgres/repository.ts';
import { version } from '../version.ts';

/** Parked operations that are read at once. */
const pageRows = 200;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** Prints where each consumer of the feed is, who works it, and what it has parked. Answers the exit code. */
export async function listConsumers({ json }: { json: boolean }): Promise<number> {
  return await withConsumers(async (consumers) => {
    const shown = (await consumers.list()).map(({ movedAtMs, failedAtMs, behindMs, ...consumer }) => ({
      ...consumer,
      behindSeconds: Math.round(behindMs / 100) / 10,
      movedAt: timestampOrNull(movedAtMs),
      failedAt: timestampOrNull(failedAtMs),
    }));
    if (json) {
      process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
      return 0;
    }
    if (shown.length === 0) tell('no replica has worked on a consumer yet');
    for (const {
      name,
      position,
      lag,
      behindSeconds,
      owner,
      movedAt,
      parked,
      error,
      failedAt,
      attempts,
    } of shown) {
      const lines = [
        `${name}: at ${position}, ${lag} behind (${behindSeconds} s), ${parked} parked`,
        `  last moved ${movedAt === null ? 'never' : `${movedAt} by ${owner ?? 'nobody'}`}`,
        ...(error === null
          ? []
          : [
              `  failed ${failedAt ?? ''}${attempts === 0 ? '' : `, ${attempts} times at one operation`}: ${error}`,
            ]),
      ];
      process.stdout.write(`${lines.join('\n')}\n`);
    }
    return 0;
  });
}

/** Prints what a consumer has given up on, oldest first. */
export async function listParked({ consumer, json }: { consumer: string; json: boolean }): Promise<number> {
  return await withConsumer(consumer, async (consumers) => {
    const all: ParkedOperation[] = [];
    for (let page: readonly ParkedOperation[] | undefined; page === undefined || page.length === pageRows;) {
      page = await consumers.parked(consumer, { after: all.at(-1)?.position ?? 0, limit: pageRows });
      all.push(...page);
    }
    const shown = all.map(({ parkedAtMs, ...parked }) => ({ ...parked, parkedAt: timestamp(parkedAtMs) }));
    if (json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
    else {
      for (const { operation, position, parkedAt, retry, reason } of shown) {
        process.stdout.write(
          `${operation}  at ${position}  parked ${parkedAt}${retry ? ', to be tried again' : ''}: ${reason}\n`,
        );
      }
    }
    return 0;
  });
}

/** Has a consumer try what it has parked once more: one operation, or with null all of them. */
export async function retryParked(request: { consumer: string; operation: string | null }): Promise<number> {
  const { consumer, operation } = request;
  if (operation !== null && !uuid.test(operation)) {
    tell(`${operation} is not the id of an operation`);
    return 1;
  }
  return await withConsumer(consumer, async (consumers) => {
    const count = await consumers.retryParked(consumer, operation?.toLowerCase() ?? null);
    if (count === 0) {
      tell(`${consumer} has not parked ${operation ?? 'anything'}`);
      return 1;
    }
    tell(`${consumer} tries ${count} again; \`holdfast consumers parked ${consumer}\` shows what is left`);
    return 0;
  });
}

async function withConsumer(
  name: string,
  work: (consumers: ConsumerCursors) => Promise<number>,
): Promise<number> {
  return await withConsumers(async (consumers) => {
    const names = (await consumers.list()).map((consumer) => consumer.name);
    if (names.includes(name)) return await work(consumers);
    tell(`there is no consumer ${name}${names.length === 0 ? '' : `; there are ${names.join(', ')}`}`);
    return 1;
  });
}

async function withConsumers(work: (consumers: ConsumerCursors) => Promise<number>): Promise<number> {
  const config = readConfigWithoutService(undefined);
  const repository = PostgresRepository.open(postgresSettings(config, version), () => undefined);
  try {
    await repository.checkServer({ info: () => undefined, warn: () => undefined });
    return await work(repository.consumers);
  } finally {
    await repository.close();
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
