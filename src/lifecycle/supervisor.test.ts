import { afterEach, expect, test } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { until } from '../../test/support/until.ts';
import type { ReplicaEnd } from './replica-process.ts';
import { RestartBackoff } from './restart-backoff.ts';
import { Supervisor } from './supervisor.ts';
import type { WorkerProcess, WorkerStart } from './worker-process.ts';

/** A replica that does what the test says, and notes what it is told. */
class ScriptedWorker implements WorkerProcess {
  readonly pid: number;
  readonly told: string[] = [];
  readonly #start = Promise.withResolvers<WorkerStart>();
  readonly #end = Promise.withResolvers<ReplicaEnd>();
  readonly started = this.#start.promise;
  readonly ended = this.#end.promise;
  alive = true;

  constructor(pid: number) {
    this.pid = pid;
  }

  serve(): void {
    this.#start.resolve({ served: true, url: 'http://127.0.0.1:1', version: String(this.pid) });
  }

  end(end: Partial<ReplicaEnd> = { code: 0 }): void {
    this.alive = false;
    this.#start.resolve({ served: false, reason: 'it ended' });
    this.#end.resolve({ code: null, signal: null, ...end });
  }

  handOver(): void {
    this.told.push('hand over');
  }

  kill(signal: NodeJS.Signals): void {
    this.told.push(signal);
    if (signal === 'SIGKILL') this.end({ signal });
  }
}

class Scene {
  readonly workers: ScriptedWorker[] = [];
  readonly messages: string[] = [];
  migrate: () => Promise<boolean> = () => Promise.resolve(true);
  readonly supervisor: Supervisor;
  kept: Promise<void> | undefined;

  constructor(stopTimeoutMs = 60_000) {
    const note = (_fields: object, message: string): void => {
      this.messages.push(message);
    };
    this.supervisor = new Supervisor({
      size: 2,
      startWorker: () => {
        const worker = new ScriptedWorker(this.workers.length);
        this.workers.push(worker);
        return worker;
      },
      migrate: async () => await this.migrate(),
      backoff: new RestartBackoff({ baseMs: 1, maxMs: 1 }),
      stopTimeoutMs,
      log: { info: note, warn: note, error: note },
    });
  }

  /** Two that serve. */
  async start(): Promise<void> {
    const started = this.supervisor.start();
    for (const worker of this.workers) worker.serve();
    expect(await started).toBe('http://127.0.0.1:1');
    this.kept = this.supervisor.keep();
  }

  /** The one that was started as the nth, from 0. */
  async worker(n: number): Promise<ScriptedWorker> {
    await until(`worker ${n} is started`, () => this.workers.length > n);
    const worker = this.workers[n];
    if (worker === undefined) throw new Error('it is there');
    return worker;
  }

  async told(worker: ScriptedWorker, what: string): Promise<void> {
    await until(`worker ${worker.pid} is told ${what}`, () => worker.told.includes(what));
  }

  async says(message: string): Promise<void> {
    await until(`it says: ${message}`, () => this.messages.some((text) => text.startsWith(message)));
  }

  get alive(): number[] {
    return this.workers.filter(({ alive }) => alive).map(({ pid }) => pid);
  }
}

const scenes: Scene[] = [];

async function scene(stopTimeoutMs?: number): Promise<Scene> {
  const made = new Scene(stopTimeoutMs);
  scenes.push(made);
  await made.start();
  return made;
}

afterEach(async () => {
  for (const made of scenes.splice(0)) {
    const stopped = made.supervisor.stop();
    made.supervisor.kill();
    await stopped;
    await made.kept;
  }
});

test('an old replica is told to go when the new one serves, and the next only when it is gone', async () => {
  const on = await scene();
  const [first, second] = [await on.worker(0), await on.worker(1)];
  await on.supervisor.replaceAll();
  const third = await on.worker(2);
  expect(first.told).toEqual([]);
  third.serve();
  await on.told(first, 'hand over');
  expect(on.workers).toHaveLength(3);
  first.end();
  const fourth = await on.worker(3);
  expect(second.told).toEqual([]);
  fourth.serve();
  await on.told(second, 'hand over');
  second.end();
  await on.says('the replacement is over');
  expect(on.alive).toEqual([2, 3]);
});

test('one that dies while its successor starts is not missed, and nobody else is sent away for it', async () => {
  const on = await scene();
  const [first, second] = [await on.worker(0), await on.worker(1)];
  await on.supervisor.replaceAll();
  const third = await on.worker(2);
  first.end({ signal: 'SIGKILL' });
  third.serve();
  const fourth = await on.worker(3);
  expect(second.told).toEqual([]);
  fourth.serve();
  await on.told(second, 'hand over');
  second.end();
  await on.says('the replacement is over');
  expect(on.alive).toEqual([2, 3]);
});

test('while one hands over, another that dies is replaced at once', async () => {
  const on = await scene();
  const second = await on.worker(1);
  await on.supervisor.replaceAll();
  (await on.worker(2)).serve();
  await on.told(await on.worker(0), 'hand over');
  second.end({ code: 1 });
  (await on.worker(3)).serve();
  (await on.worker(0)).end();
  await on.says('the replacement is over');
  expect(on.alive).toEqual([2, 3]);
});

test('a new one that does not come up ends the replacement; the next one begins anew', async () => {
  const on = await scene();
  await on.supervisor.replaceAll();
  (await on.worker(2)).end({ code: 1 });
  await on.says('a new replica did not come up');
  await on.says('the replacement is over');
  expect(on.alive).toEqual([0, 1]);
  expect(on.workers).toHaveLength(3);
  await on.supervisor.replaceAll();
  (await on.worker(3)).serve();
  await on.told(await on.worker(0), 'hand over');
});

test('a migration that fails replaces nobody; requests that come during one are one more', async () => {
  const on = await scene();
  const migrated = new Gate();
  let migrations = 0;
  on.migrate = async () => {
    migrations += 1;
    await migrated.opened;
    return false;
  };
  const requests = [1, 2, 3].map(() => on.supervisor.replaceAll());
  expect(migrations).toBe(1);
  migrated.open();
  await Promise.all(requests);
  expect(migrations).toBe(2);
  expect(on.workers).toHaveLength(2);
});

test('one that does not stop in time is killed, and that was not drained', async () => {
  const on = await scene(20);
  const [first, second] = [await on.worker(0), await on.worker(1)];
  const stopped = on.supervisor.stop();
  first.end();
  expect(await stopped).toBe(false);
  expect(second.told).toEqual(['SIGTERM', 'SIGKILL']);
});

test('a stop during a replacement stops all of them, also the one that is starting', async () => {
  const on = await scene();
  await on.supervisor.replaceAll();
  const third = await on.worker(2);
  const stopped = on.supervisor.stop();
  for (const worker of on.workers) expect(worker.told).toEqual(['SIGTERM']);
  third.end({ signal: 'SIGTERM' });
  (await on.worker(0)).end();
  (await on.worker(1)).end();
  expect(await stopped).toBe(true);
  await on.kept;
  expect(on.workers).toHaveLength(3);
});
