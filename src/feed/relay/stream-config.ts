import {
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  type JetStreamManager,
  type StreamConfig,
} from '@nats-io/jetstream';
import { millis, nanos } from '@nats-io/transport-node';

export interface StreamSettings {
  readonly stream: string;
  readonly subjectPrefix: string;
  readonly duplicateWindowMs: number;
  /** 0: messages are kept for ever. */
  readonly maxAgeMs: number;
}

/** The stream can't be what the relay needs: someone has to change it, or the settings. */
export class UnfitStreamError extends Error {
  override name = 'UnfitStreamError';
}

const streamNotFound = 10059;

/**
 * Makes sure that there is a stream for the operations: creates it, or checks the one that is there and changes nothing about
 * it. Throws an `UnfitStreamError` where operations would be lost in it, and warns where it is only other than the settings say.
 */
export async function ensureStream(
  manager: JetStreamManager,
  settings: StreamSettings,
  log: { warn(fields: object, message: string): void },
): Promise<StreamConfig> {
  const found = await find(manager, settings.stream);
  if (found === undefined) return await create(manager, settings);
  const faults = faultsOf(found, settings);
  if (faults.length > 0) {
    throw new UnfitStreamError(
      `the stream ${settings.stream} can’t take operations, and is left as it is: ${faults.join('; ')}`,
    );
  }
  const [windowMs, maxAgeMs] = [millis(found.duplicate_window), millis(found.max_age)];
  if (windowMs < settings.duplicateWindowMs || maxAgeMs !== settings.maxAgeMs) {
    log.warn(
      { stream: settings.stream, duplicateWindowMs: windowMs, maxAgeMs, asked: settings },
      'the stream is other than NATS_DUPLICATE_WINDOW and NATS_MAX_AGE say, and is left as it is',
    );
  }
  return found;
}

async function find(manager: JetStreamManager, stream: string): Promise<StreamConfig | undefined> {
  try {
    return (await manager.streams.info(stream)).config;
  } catch (error) {
    if (error instanceof JetStreamApiError && error.code === streamNotFound) return undefined;
    throw error;
  }
}

async function create(manager: JetStreamManager, settings: StreamSettings): Promise<StreamConfig> {
  try {
    // Another replica may be at it as well: the same twice is no error.
    const { config } = await manager.streams.add({
      name: settings.stream,
      description: 'Operations of Holdfast, in the order of their feed',
      subjects: [`${settings.subjectPrefix}.>`],
      retention: RetentionPolicy.Limits,
      storage: StorageType.File,
      discard: DiscardPolicy.Old,
      duplicate_window: nanos(settings.duplicateWindowMs),
      max_age: nanos(settings.maxAgeMs),
    });
    return config;
  } catch (error) {
    if (!(error instanceof JetStreamApiError)) throw error;
    throw new UnfitStreamError(`the stream ${settings.stream} could not be created: ${error.message}`, {
      cause: error,
    });
  }
}

function faultsOf(config: StreamConfig, { subjectPrefix }: StreamSettings): string[] {
  const faults: string[] = [];
  if (!config.subjects.some((pattern) => covers(pattern, subjectPrefix)))
    faults.push(`it has ${config.subjects.join(', ') || 'no subjects'}, not ${subjectPrefix}.>`);
  if (config.storage !== StorageType.File) faults.push('it is kept in memory, so a restart would lose it');
  if (config.no_ack === true) faults.push('it acknowledges nothing');
  if (config.sealed) faults.push('it is sealed');
  if (config.mirror !== undefined) faults.push('it mirrors another stream');
  return faults;
}

/** Whether a subject of one more word below the prefix is among the pattern’s. */
function covers(pattern: string, prefix: string): boolean {
  const words = [...prefix.split('.'), 'any'];
  const patterns = pattern.split('.');
  const tail = patterns.at(-1) === '>' ? patterns.slice(0, -1) : undefined;
  if (tail === undefined && patterns.length !== words.length) return false;
  if (tail !== undefined && tail.length >= words.length) return false;
  return (tail ?? patterns).every((word, i) => word === '*' || (word === words[i] && word !== 'any'));
}
