import { expect, test, vi } from 'vitest';
import { Gate } from '../../test/support/gate.ts';
import { BackgroundTasks } from './background-tasks.ts';

function tasksWith(log = { error: vi.fn() }): BackgroundTasks {
  return new BackgroundTasks({ maxRunning: { jobs: 1, consumers: 2, streams: 1, chores: 1 }, log });
}

test('a task is registered before it starts, and a stop tells it to come to an end and waits for it', async () => {
  const tasks = tasksWith();
  const finished = new Gate();
  const told = new Gate();
  let ended = false;
  tasks.start('consumers', 'loop', async ({ stopping }) => {
    stopping.addEventListener('abort', () => {
      told.open();
    });
    await finished.opened;
    ended = true;
  });
  expect(tasks.running('consumers')).toEqual(['loop']);
  await Promise.resolve();
  await Promise.resolve();
  const closed = tasks.close('consumers', { deadlineMs: 60_000, abortGraceMs: 0 });
  await told.opened;
  expect(ended).toBe(false);
  finished.open();
  expect(await closed).toEqual([]);
  expect(ended).toBe(true);
  expect(tasks.running('consumers')).toEqual([]);
  expect(tasks.load.consumers).toEqual({ running: 0, runningMax: 2 });
});

test('nothing is started once its kind has stopped, and other kinds go on', () => {
  const tasks = tasksWith();
  tasks.stop('jobs');
  expect(tasks.start('jobs', 'late', () => Promise.resolve())).toBe(false);
  expect(tasks.start('chores', 'other', () => Promise.resolve())).toBe(true);
});

test('as many of a kind run as may', async () => {
  const tasks = tasksWith();
  const finished = new Gate();
  const work = async (): Promise<void> => {
    await finished.opened;
  };
  expect(tasks.start('jobs', 'one', work)).toBe(true);
  expect(tasks.start('jobs', 'two', work)).toBe(false);
  finished.open();
  expect(await tasks.close('jobs', { deadlineMs: 60_000, abortGraceMs: 0 })).toEqual([]);
});

test('a task that is not done by the deadline is aborted, and one that ignores that is named', async () => {
  const tasks = tasksWith();
  const forever = new Gate();
  tasks.start('consumers', 'heeds', async ({ aborted }) => {
    await new Promise((resolve) => {
      aborted.addEventListener('abort', resolve);
    });
    throw new Error('not logged: it was aborted');
  });
  tasks.start('consumers', 'ignores', async () => {
    await forever.opened;
  });
  expect(await tasks.close('consumers', { deadlineMs: 1, abortGraceMs: 50 })).toEqual(['ignores']);
  forever.open();
});

test('what a task throws is logged with its name', async () => {
  const log = { error: vi.fn() };
  const tasks = tasksWith(log);
  const error = new Error('broken');
  tasks.start('chores', 'breaks', () => Promise.reject(error));
  await tasks.close('chores', { deadlineMs: 60_000, abortGraceMs: 0 });
  expect(log.error).toHaveBeenCalledExactlyOnceWith({ err: error, task: 'breaks' }, 'background task failed');
});
