import pg from 'pg';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createTestDatabase } from '../../test/support/database.ts';
import { Gate } from '../../test/support/gate.ts';
import { operationRecord } from '../../test/support/operation-records.ts';
import { query } from '../../test/support/query.ts';
import { postgresSettings } from '../../test/support/repositories.ts';
import { unlockedCursors } from '../../test/support/unlocked-cursors.ts';
import { until } from '../../test/support/until.ts';
import type { ConsumerCursors, FeedOperation, Turn } from '../repository/consumers.ts';
import { ConstraintError } from '../repository/errors.ts';
import { PostgresRepository } from '../repository/postgres/repository.ts';
import { ConsumerLoop, type ConsumerSettings } from './consumer-loop.ts';
import { HeldUpError, type Consumer } from './consumer.ts';
import { Pacer } from './pacer.ts';
import { sleepUntil } from './sleep-until.ts';
import { FeedTail } from './tail.ts';

const settings: ConsumerSettings = {
  pageRows: 4,
  attemptsMax: 3,
  backoffMs: 1,
  backoffMsMax: 4,
  turnTimeoutMs: 30_000,
  gatherMs: 0,
  lookAgainMs: 20,
};

let url: string;
let replicas: Replica[];

beforeEach(async () => {
  ({ url } = await createTestDatabase());
  replicas = [];
});

afterEach(async () => {
  await Promise.all(replicas.map(async (replica) => await replica.close()));
});

/** What one replica has of it: connections, the tail, and a loop for each consumer that it is given. */
class Replica {
  readonly repository: PostgresRepository;
  readonly warnings: object[] = [];
  readonly #stopping = new AbortController();
  readonly #aborted = new AbortController();
  readonly #tail: FeedTail;
  readonly #name: string;
  readonly #running: Promise<void>[] = [];

  constructor(name: string) {
    this.#name = name;
    this.repository = PostgresRepository.open(postgresSettings(url, name), () => undefined);
    this.#tail = new FeedTail({ readEnd: async () => await this.repository.feedEnd(), pollMs: 20 });
    this.#running.push(this.#tail.run(this.#stopping.signal));
    replicas.push(this);
  }

  work(
    consumer: Consumer,
    {
      cursors = this.repository.consumers,
      ...changed
    }: Partial<ConsumerSettings> & { cursors?: ConsumerCursors } = {},
  ): void {
    const loop = new ConsumerLoop({
      consumer,
      cursors,
      tail: this.#tail,
      pacer: new Pacer({ inFlight: () => 0, yieldAt: 0 }),
      owner: this.#name,
      settings: { ...settings, ...changed },
      log: { warn: (fields) => this.warnings.push(fields), error: (fields) => this.warnings.push(fields) },
    });
    this.#running.push(loop.run({ stopping: this.#stopping.signal, aborted: this.#aborted.signal }));
  }

  abort(): void {
    this.#stopping.abort();
    this.#aborted.abort();
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await Promise.all(this.#running);
    await this.repository.close();
  }
}

/** A consumer whose effect is a job for each operation: kept with the cursor's move, or not at all. */
function recording(
  handle: (operations: readonly FeedOperation[], turn: Turn) => Promise<void> | void = () => undefined,
): Consumer {
  return {
    name: 'recording',
    from: 'beginning',
    isWanted: () => Promise.resolve(true),
    handle: async (operations, turn) => {
      turn.enqueue(operations.map(({ id }) => ({ name: 'recorded', payload: { id } })));
      await handle(operations, turn);
    },
  };
}

async function operate(count: number): Promise<string[]> {
  const { repository } = replicas[0] ?? new Replica('writer');
  const records = Array.from({ length: count }, () => operationRecord('/listings/a'));
  for (const record of records)
    await repository.transaction((tx) => {
      tx.save({ operations: [record] });
      return Promise.resolve();
    });
  return records.map(({ id }) => id);
}

/** The operations that the effects are of, in the order in which they were kept. */
async function recorded(): Promise<string[]> {
  const { rows } = await query(
    url,
    `select payload ->> 'id' as id from graphile_worker._private_jobs order by graphile_worker._private_jobs.id`,
  );
  return rows.map(({ id }) => String(id));
}

async function position(): Promise<unknown> {
  const { rows } = await query(url, `select position::int from consumers`);
  return rows[0]?.['position'];
}

async function allRecorded(ids: readonly string[]): Promise<void> {
  await until('all were handled', async () => (await recorded()).length >= ids.length);
}

test('three replicas work one consumer: each operation once, in the order of the feed', async () => {
  let working = 0;
  let together = 0;
  const consumer = recording(async () => {
    working += 1;
    together = Math.max(together, working);
    await new Promise(setImmediate);
    working -= 1;
  });
  const before = await operate(10);
  for (const name of ['a', 'b', 'c']) new Replica(name).work(consumer);
  const ids = [...before, ...(await operate(30))];
  await allRecorded(ids);
  await until('the cursor is at the end', async () => (await position()) === ids.length);
  expect(await recorded()).toEqual(ids);
  expect(together).toBe(1);
});

test('without the lock, two replicas do the same twice', async () => {
  const both = new Gate();
  let working = 0;
  const consumer = recording(async () => {
    working += 1;
    if (working === 2) both.open();
    await both.opened;
  });
  const ids = await operate(3);
  for (const name of ['a', 'b']) {
    const replica = new Replica(name);
    replica.work(consumer, { cursors: unlockedCursors(replica.repository, url) });
  }
  await until('both were through', async () => (await recorded()).length === 2 * ids.length);
  expect((await recorded()).toSorted()).toEqual([...ids, ...ids].toSorted());
});

test('a turn that is lost is no turn: another replica takes over and does it all', async () => {
  const [entered, goOn] = [new Gate(), new Gate()];
  const hung = new Replica('hung');
  const ids = await operate(4);
  hung.work(
    recording(async () => {
      entered.open();
      await goOn.opened;
    }),
  );
  await entered.opened;
  const heir = new Replica('heir');
  heir.work(recording());
  expect(await recorded()).toEqual([]);
  // What happens to the connections of a process that is killed.
  await query(
    url,
    `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'hung' and datname = current_database()`,
  );
  await allRecorded(ids);
  expect(await recorded()).toEqual(ids);
  const [report] = await heir.repository.consumers.list();
  expect(report).toMatchObject({
    name: 'recording',
    owner: 'heir',
    lag: 0,
    behindMs: 0,
    parked: 0,
    error: null,
  });
  // It knows nothing of that: what it would keep now comes too late.
  goOn.open();
  await until('it was told', () => hung.warnings.length > 0);
  expect(await recorded()).toEqual(ids);
});

test('an operation that always fails is parked after so many tries, and the others are handled', async () => {
  const ids = await operate(6);
  const poisoned = ids[2];
  let tries = 0;
  const replica = new Replica('a');
  replica.work(
    recording((operations) => {
      if (!operations.some(({ id }) => id === poisoned)) return;
      if (operations.length === 1) tries += 1;
      throw new Error('it is poisoned');
    }),
  );
  await until('the cursor is at the end', async () => (await position()) === ids.length);
  expect(await recorded()).toEqual(ids.filter((id) => id !== poisoned));
  expect(tries).toBe(settings.attemptsMax);
  const { consumers } = replica.repository;
  expect(await consumers.parked('recording', { after: 0, limit: 10 })).toMatchObject([
    { position: 3, operation: poisoned, reason: 'it is poisoned', retry: false },
  ]);
  expect(await consumers.list()).toMatchObject([{ parked: 1, error: null, attempts: 0 }]);
  expect(replica.warnings).toContainEqual(
    expect.objectContaining({ consumer: 'recording', operation: poisoned, reason: 'it is poisoned' }),
  );
});

test('what is parked can be tried again: in vain it stays, with its new reason, and otherwise it is gone', async () => {
  const [id = ''] = await operate(1);
  let trouble: string | null = 'first';
  const replica = new Replica('a');
  replica.work(
    recording((_operations, turn) => {
      if (trouble === null) return;
      if (trouble === 'set aside') turn.park(_operations[0] as FeedOperation, trouble);
      else throw new Error(trouble);
    }),
  );
  const { consumers } = replica.repository;
  const parked = async () => await consumers.parked('recording', { after: 0, limit: 10 });
  await until('it is parked', async () => (await parked()).length === 1);
  for (trouble of ['second', 'set aside']) {
    expect(await consumers.retryParked('recording', id)).toBe(1);
    await until('it was tried again', async () => (await parked())[0]?.reason === trouble);
    expect(await parked()).toMatchObject([{ operation: id, reason: trouble, retry: false }]);
  }
  trouble = null;
  expect(await consumers.retryParked('recording', null)).toBe(1);
  await until('nothing is parked', async () => (await parked()).length === 0);
  expect(await consumers.retryParked('recording', id)).toBe(0);
});

test('what is to be tried again takes turns with what is new', async () => {
  const parked = await operate(6);
  let away = true;
  const order: string[] = [];
  const replica = new Replica('a');
  replica.work(
    recording((operations, turn) => {
      if (away) for (const operation of operations) turn.park(operation, 'not yet');
      else order.push(...operations.map(({ id }) => (parked.includes(id) ? 'old' : 'new')));
    }),
    { pageRows: 1 },
  );
  const { consumers } = replica.repository;
  await until('the cursor is at the end', async () => (await position()) === parked.length);
  away = false;
  // Both are there before its next turn: it is kept from it meanwhile.
  const holder = new pg.Client({ connectionString: url });
  await holder.connect();
  await holder.query(`begin; select from consumers for update`);
  await consumers.retryParked('recording', null);
  await operate(6);
  await holder.query('commit');
  await holder.end();
  await until('all was handled', () => order.length === 12);
  expect(order.slice(0, 4).toSorted()).toEqual(['new', 'new', 'old', 'old']);
});

test('what a constraint refuses is the operation’s fault, and parked', async () => {
  const [id] = await operate(1);
  const replica = new Replica('a');
  replica.work(
    recording(() => {
      throw new ConstraintError('it does not fit');
    }),
  );
  const { consumers } = replica.repository;
  const parked = async () => await consumers.parked('recording', { after: 0, limit: 1 });
  await until('it is parked', async () => (await parked()).length === 1);
  expect(await parked()).toMatchObject([{ operation: id, reason: 'it does not fit' }]);
});

test('while its surroundings are at fault a consumer waits, says why, and parks nothing', async () => {
  const ids = await operate(3);
  let away = true;
  let tries = 0;
  const replica = new Replica('a');
  replica.work(
    recording(() => {
      tries += 1;
      if (away) throw new HeldUpError('the broker is away');
    }),
  );
  await until('it was tried more often than an operation would be', () => tries > 2 * settings.attemptsMax);
  const { consumers } = replica.repository;
  expect(await consumers.list()).toMatchObject([
    { position: 0, lag: 3, parked: 0, attempts: 0, error: 'the broker is away' },
  ]);
  away = false;
  await allRecorded(ids);
  expect(await recorded()).toEqual(ids);
  expect(await consumers.list()).toMatchObject([{ position: 3, parked: 0, error: null }]);
});

test('a consumer that has nothing to do passes by unread, and one that begins at the end has no past', async () => {
  await operate(5);
  let wanted = false;
  const replica = new Replica('a');
  replica.work({ ...recording(), isWanted: () => Promise.resolve(wanted) });
  await until('all has passed', async () => (await position()) === 5);
  wanted = true;
  const ids = await operate(2);
  await allRecorded(ids);
  expect(await recorded()).toEqual(ids);
  await replica.repository.consumers.ensure('late', 'end');
  await replica.repository.consumers.ensure('late', 'beginning');
  expect(await replica.repository.consumers.list()).toMatchObject([
    { name: 'late', position: 7 },
    { name: 'recording', position: 7 },
  ]);
});

test('a turn that takes too long is cut off, and its operation has failed', async () => {
  const [id = ''] = await operate(1);
  const replica = new Replica('a');
  replica.work(
    {
      ...recording(),
      handle: async (_operations, _turn, signal) => {
        await sleepUntil(null, { signal });
        signal.throwIfAborted();
      },
    },
    { turnTimeoutMs: 50 },
  );
  const { consumers } = replica.repository;
  await until(
    'it is parked',
    async () => (await consumers.parked('recording', { after: 0, limit: 1 })).length === 1,
  );
  expect(await consumers.parked('recording', { after: 0, limit: 1 })).toMatchObject([
    { operation: id, reason: 'the turn took longer than 50 ms' },
  ]);
});

test('a turn that was cut off while its surroundings were at fault parks nothing', async () => {
  const ids = await operate(1);
  let away = true;
  let tries = 0;
  const replica = new Replica('a');
  replica.work(
    {
      ...recording(),
      handle: async (operations, turn, signal) => {
        turn.enqueue(operations.map(({ id }) => ({ name: 'recorded', payload: { id } })));
        tries += 1;
        if (!away) return;
        // Under load the time may be up before it begins.
        if (!signal.aborted)
          await new Promise((resolve) => {
            signal.addEventListener('abort', resolve);
          });
        throw new HeldUpError('the broker does not answer');
      },
    },
    { turnTimeoutMs: 200 },
  );
  await until('it was tried more often than an operation would be', () => tries > 2 * settings.attemptsMax);
  const { consumers } = replica.repository;
  expect(await consumers.list()).toMatchObject([{ position: 0, lag: 1, parked: 0, attempts: 0 }]);
  away = false;
  await allRecorded(ids);
  expect(await recorded()).toEqual(ids);
});

test('a stop lets the turn end and keeps it; an abort drops it', async () => {
  const [entered, goOn] = [new Gate(), new Gate()];
  const ids = await operate(2);
  const stopped = new Replica('stopped');
  stopped.work(
    recording(async () => {
      entered.open();
      await goOn.opened;
    }),
  );
  await entered.opened;
  const closed = stopped.close();
  goOn.open();
  await closed;
  expect(await recorded()).toEqual(ids);
  replicas = replicas.filter((replica) => replica !== stopped);

  const begun = new Gate();
  const more = await operate(2);
  const cut = new Replica('cut');
  cut.work({
    ...recording(),
    handle: async (_operations, turn, signal) => {
      turn.enqueue([{ name: 'recorded', payload: { id: 'dropped' } }]);
      begun.open();
      await new Promise((resolve) => {
        signal.addEventListener('abort', resolve);
      });
    },
  });
  await begun.opened;
  cut.abort();
  await cut.close();
  replicas = replicas.filter((replica) => replica !== cut);
  expect(await recorded()).toEqual(ids);
  expect(cut.warnings).toEqual([]);
  new Replica('next').work(recording());
  await allRecorded([...ids, ...more]);
  expect(await recorded()).toEqual([...ids, ...more]);
});
