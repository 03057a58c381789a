import { access, appendFile, constants, cp, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { settings } from '../../src/config/settings.ts';
import { runSystemProgram } from '../support/system-program.ts';

const repository = path.resolve(import.meta.dirname, '../..');
const units = ['holdfast.service', 'holdfast@.service'] as const;
/** What the command line takes as the name of a unit: a template only with an instance. */
const nameOf = (unit: string): string => unit.replace('@.', '@3001.');

let root: string;

// A system of its own: the units and programs of Debian, ours beside them, and the release where they look for it.
beforeAll(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'holdfast-systemd-'));
  const place = async (from: string, to: string): Promise<void> => {
    await cp(from, path.join(root, to), { recursive: true, verbatimSymlinks: true });
  };
  await place('/lib/systemd/system', 'lib/systemd/system');
  await place('/usr/bin/env', 'usr/bin/env');
  await place('/bin/kill', 'bin/kill');
  await place(path.join(repository, 'start_production.sh'), 'opt/holdfast/current/start_production.sh');
  for (const unit of units)
    await place(path.join(repository, 'deploy/systemd', unit), `etc/systemd/system/${unit}`);
});

afterAll(async () => {
  await rm(root, { recursive: true });
});

/** The values of a key, in order. */
async function valuesOf(unit: string, key: string): Promise<string[]> {
  const text = await readFile(path.join(repository, 'deploy/systemd', unit), 'utf8');
  return [...text.matchAll(new RegExp(`^${key}=(.*)$`, 'gm'))].map(([, value = '']) => value);
}

describe.each(units)('%s', (unit) => {
  test('systemd-analyze verify has nothing to say about it', async () => {
    expect(await runSystemProgram('systemd-analyze', ['verify', `--root=${root}`, nameOf(unit)])).toBe('');
  });

  test('its exposure is under 3', async () => {
    const file = path.join(repository, 'deploy/systemd', unit);
    const said = await runSystemProgram('systemd-analyze', [
      'security',
      '--offline=true',
      '--threshold=30',
      file,
    ]);
    const exposure = Number(/Overall exposure level for \S+: ([0-9.]+)/.exec(said)?.[1]);
    expect(exposure).toBeGreaterThan(0);
    expect(exposure).toBeLessThan(3);
  });

  test('it starts what we ship, and waits for a stop for longer than a stop takes', async () => {
    const [command = ''] = await valuesOf(unit, 'ExecStart');
    const [, script = ''] = /(?:^| )\/opt\/holdfast\/current\/(\S+)$/.exec(command) ?? [];
    await access(path.join(repository, script), constants.X_OK);
    expect(script).toBe('start_production.sh');
    const [stopSeconds] = await valuesOf(unit, 'TimeoutStopSec');
    const { SHUTDOWN_TIMEOUT } = settings;
    // And for as long as the primary gives a replica beyond that.
    const stopMs =
      SHUTDOWN_TIMEOUT.parse(SHUTDOWN_TIMEOUT.defaultIn('production') ?? '', 'production') + 5000;
    expect(Number(stopSeconds) * 1000).toBeGreaterThan(stopMs);
    expect(await valuesOf(unit, 'KillMode')).toEqual(['mixed']);
    expect(await valuesOf(unit, 'KillSignal')).toEqual(['SIGTERM']);
  });
});

test('verify would say it', async () => {
  const file = path.join(root, 'etc/systemd/system/holdfast-wrong.service');
  await cp(path.join(repository, 'deploy/systemd/holdfast.service'), file);
  await appendFile(file, '\nNoSuchKey=1\n');
  const said = await runSystemProgram('systemd-analyze', [
    'verify',
    `--root=${root}`,
    'holdfast-wrong.service',
  ]);
  expect(said).toContain('NoSuchKey');
});

test('a reload sends SIGHUP, where there are replicas to be replaced', async () => {
  expect(await valuesOf('holdfast.service', 'ExecReload')).toEqual(['/bin/kill -HUP $MAINPID']);
  expect(await valuesOf('holdfast@.service', 'ExecReload')).toEqual([]);
});
