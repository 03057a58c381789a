import { expect, test } from 'vitest';
import { taskKinds } from '../../src/lifecycle/background-tasks.ts';
import { CommandLine } from '../support/command-line.ts';
import { createTestDatabase } from '../support/database.ts';
import { entry, replicaEnv } from '../support/served-replicas.ts';

const stubborn = new URL('../support/stubborn-task-process.ts', import.meta.url).href;

interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly step?: string;
  readonly waitingFor?: string;
  readonly err?: { readonly message: string };
  readonly drained?: boolean;
}

async function stopped(
  env: Readonly<Record<string, string>>,
  preloaded: readonly string[],
): Promise<{ end: unknown; log: readonly LogLine[] }> {
  const database = await createTestDatabase();
  const command = new CommandLine(['serve'], {
    env: replicaEnv(database.url, { LOG_LEVEL: 'info', SHUTDOWN_TIMEOUT: '5500ms', ...env }),
    program: [process.execPath, ...preloaded.flatMap((module) => ['--import', module]), entry],
  });
  await command.says('"msg":"serving"');
  command.process.kill('SIGTERM');
  const end = await command.ended;
  const lines = command.output.split('\n').filter((line) => line.startsWith('{'));
  return { end, log: lines.map((line) => JSON.parse(line) as LogLine) };
}

const steps = [
  'say not ready, and serve on while load balancers notice',
  'finish requests',
  'drain lanes',
  'drain jobs',
  'drain consumers',
  'drain streams',
  'drain chores',
  'close the server',
  'close connections',
];

test.for(taskKinds)(
  'a task among the %s that ignores its abort is named in the log, what comes after it is stopped all the same, and the exit code is 1',
  async (kind) => {
    const { end, log } = await stopped({ STUBBORN_KIND: kind }, [stubborn]);
    expect(end).toEqual({ code: 1, signal: null });
    const failed = log.filter(({ msg }) => msg === 'shutdown step not completed');
    expect(failed).toMatchObject([
      {
        level: 50,
        step: `drain ${kind}`,
        waitingFor: 'a stubborn task',
        err: { message: `${kind} ignored their abort: a stubborn task` },
      },
    ]);
    const taken = log.filter(({ msg }) => msg.startsWith('shutdown step'));
    expect(taken.map(({ step }) => step)).toEqual(steps);
    expect(log.at(-1)).toMatchObject({ msg: 'stopped', drained: false });
  },
);

test('without one, every step is completed and logged, and the exit code is 0', async () => {
  const { end, log } = await stopped({}, []);
  expect(end).toEqual({ code: 0, signal: null });
  const completed = log.filter(({ msg }) => msg === 'shutdown step completed');
  expect(completed.map(({ step }) => step)).toEqual(steps);
  expect(log.at(-1)).toMatchObject({ msg: 'stopped', drained: true });
});
