import { hostname } from 'node:os';
import type { Logger } from 'pino';
import type { Config } from '../config/settings.ts';
import type { Broker } from '../feed/relay/broker.ts';
import type { Relay } from '../feed/relay/relay.ts';
import type { PostgresRepository } from '../repository/postgres/repository.ts';

/** The consumer that relays operations to NATS, and what keeps its connection: to be run for as long as it works. */
export interface OpenedRelay {
  readonly consumer: Relay;
  readonly broker: Broker;
}

/** Null: this replica relays nothing, and the library is not even loaded. */
export async function openRelay(
  config: Config,
  { repository, log }: { repository: PostgresRepository; log: Logger },
): Promise<OpenedRelay | null> {
  const { BACKGROUND_WORK, NATS_URL: address } = config;
  if (!BACKGROUND_WORK || address === null) return null;
  const { Broker } = await import('../feed/relay/broker.ts');
  const { Relay } = await import('../feed/relay/relay.ts');
  const settings = {
    address,
    credentialsFile: config.NATS_CREDS_FILE,
    name: `holdfast ${hostname()}:${process.pid}`,
    stream: config.NATS_STREAM,
    subjectPrefix: config.NATS_SUBJECT_PREFIX,
    duplicateWindowMs: config.NATS_DUPLICATE_WINDOW,
    maxAgeMs: config.NATS_MAX_AGE,
    answerMs: config.NATS_TIMEOUT,
  };
  const broker = new Broker(settings, log);
  const consumer = new Relay({
    broker,
    reads: repository,
    settings: { inFlightMax: config.NATS_IN_FLIGHT_MAX, timeoutMs: config.NATS_TIMEOUT },
    log,
  });
  return { consumer, broker };
}
