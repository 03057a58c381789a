import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { InstalledRelease } from '../support/installed-release.ts';
import { until } from '../support/until.ts';

/**
 * A build that notes what it is called with. The files `config-fails` and `migrate-fails` make these commands fail;
 * `wait` makes `migrate` wait for a signal, and `serve` always does. Says its environment as JSON when it serves.
 */
const build = `
import { appendFileSync, existsSync } from 'node:fs';
const root = new URL('../../', import.meta.url);
const [command, ...rest] = process.argv.slice(2);
const note = (text) => appendFileSync(new URL('notes', root), text + '\\n');
const waitForSignal = () => {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'])
    process.on(signal, () => { note(command + ' ' + signal); if (signal !== 'SIGHUP') process.exit(7); });
  setInterval(() => {}, 1000);
};
if (existsSync(new URL(command + '-fails', root))) { console.error(command + ' fails'); process.exit(5); }
if (command === 'migrate' && existsSync(new URL('wait', root))) waitForSignal();
if (command === 'serve') {
  console.log(JSON.stringify({ pid: process.pid, argv: process.argv, argv0: process.argv0, env: process.env }));
  if (existsSync(new URL('wait-to-serve', root))) waitForSignal();
}
note([command, ...rest].join(' '));
`;

let release: InstalledRelease;
const running: ChildProcess[] = [];

beforeEach(async () => {
  release = await InstalledRelease.create(build);
});

afterEach(async () => {
  for (const child of running.splice(0)) child.kill('SIGKILL');
  await release.remove();
});

type Env = Readonly<Record<string, string>>;

function start(env: Env = {}): { child: ChildProcess; ended: Promise<Ended> } {
  const child = spawn(release.script, {
    env: { PATH: process.env['PATH'], ...env },
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  running.push(child);
  const said = Promise.all([text(child.stdout), text(child.stderr)]);
  const ended = (async () => {
    const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
    const [output, errors] = await said;
    return { code, signal, output, errors };
  })();
  return { child, ended };
}

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly output: string;
  readonly errors: string;
}

/** What the service was started with. */
async function served(env: Env = {}): Promise<{ env: Env; argv: readonly string[]; argv0: string }> {
  const { code, output, errors } = await start(env).ended;
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  return JSON.parse(output) as { env: Env; argv: readonly string[]; argv0: string };
}

async function notes(): Promise<readonly string[]> {
  return (await readFile(release.path('notes'), 'utf8').catch(() => '')).trim().split('\n');
}

test('.env is read to the letter, and nothing in it is executed', async () => {
  const lines: readonly (readonly [line: string, name: string, value: string])[] = [
    ['PLAIN=value', 'PLAIN', 'value'],
    ['EMPTY=', 'EMPTY', ''],
    [`EMPTY_QUOTED=''`, 'EMPTY_QUOTED', ''],
    ['SPACES =  two words  ', 'SPACES', 'two words'],
    ['export EXPORTED=yes', 'EXPORTED', 'yes'],
    ['  export\tINDENTED="in"', 'INDENTED', 'in'],
    ['HASH=a#b', 'HASH', 'a#b'],
    ['HASH_FIRST=#b', 'HASH_FIRST', '#b'],
    ['COMMENT=a # b # c', 'COMMENT', 'a'],
    ['ONLY_COMMENT= # nothing', 'ONLY_COMMENT', ''],
    [`SINGLE='a "b" \\ $c # d'`, 'SINGLE', 'a "b" \\ $c # d'],
    [`DOUBLE="a 'b' \\"c\\" \\\\ \\n # d"  # a comment`, 'DOUBLE', `a 'b' "c" \\ \\n # d`],
    ['INNER=it"s', 'INNER', 'it"s'],
    ['EQUALS=a=b==', 'EQUALS', 'a=b=='],
    ['URL=postgres://u:p%40$w@h:5432/d?x=1&y=2', 'URL', 'postgres://u:p%40$w@h:5432/d?x=1&y=2'],
    ['SUBSTITUTION=$(touch executed)', 'SUBSTITUTION', '$(touch executed)'],
    [
      'QUOTED_SUBSTITUTION="$(touch executed)`touch executed`"',
      'QUOTED_SUBSTITUTION',
      '$(touch executed)`touch executed`',
    ],
    ['BACKTICKS=`touch executed`', 'BACKTICKS', '`touch executed`'],
    [
      'CHAINED=a; touch executed && touch executed | touch executed',
      'CHAINED',
      'a; touch executed && touch executed | touch executed',
    ],
    ['GLOB=*', 'GLOB', '*'],
    ['HOME_SIGN=~', 'HOME_SIGN', '~'],
    ['VARIABLE=$PLAIN ${PLAIN}', 'VARIABLE', '$PLAIN ${PLAIN}'],
    ['ARITHMETIC=a[$(touch executed)]', 'ARITHMETIC', 'a[$(touch executed)]'],
    ['BACKSLASH=C:\\new\\', 'BACKSLASH', 'C:\\new\\'],
    ['UMLAUT="grün 🗡"', 'UMLAUT', 'grün 🗡'],
    ['IFS=v', 'AFTER_IFS', 'still read'],
    ['TWICE=1', 'TWICE', '2'],
  ];
  const file = ['# a comment', '', '   ', ...lines.map(([line]) => line), 'AFTER_IFS=still read', 'TWICE=2'];
  const expected = Object.fromEntries(lines.map(([, name, value]) => [name, value]));
  for (const content of [file.join('\n'), `\ufeff${file.join('\r\n')}\r\n`]) {
    await release.write('.env', content);
    const { env } = await served();
    expect(env).toMatchObject(expected);
  }
  for (const folder of [release.folder, '/']) expect(existsSync(`${folder}/executed`)).toBe(false);
});

test('what is in the environment already wins, unless it is empty', async () => {
  await release.write('.env', 'A=file\nB=file\nC=file\nNODE_ENV=staging');
  const { env } = await served({ A: 'environment', B: '' });
  expect(env).toMatchObject({ A: 'environment', B: 'file', C: 'file', NODE_ENV: 'staging' });
});

test('NODE_ENV is production unless something else is said, and no .env is needed', async () => {
  expect((await served()).env['NODE_ENV']).toBe('production');
  expect((await served({ NODE_ENV: 'staging' })).env['NODE_ENV']).toBe('staging');
});

test('ENV_FILE names another file, which must be there', async () => {
  await release.write('.env', 'WHICH=beside');
  await release.write('elsewhere', 'WHICH=elsewhere');
  expect((await served({ ENV_FILE: release.path('elsewhere') })).env['WHICH']).toBe('elsewhere');
  for (const missing of [release.path('nowhere'), release.folder]) {
    const { code, errors } = await start({ ENV_FILE: missing }).ended;
    expect(code).toBe(1);
    expect(errors).toContain(missing);
  }
});

test.each([
  ['no assignment', 'hunter2'],
  ['a space in a name', 'MY NAME=hunter2'],
  ['a name in lower case', 'name=hunter2'],
  ['a quote without end', 'NAME="hunter2'],
  ['an escaped quote at the end', 'NAME="hunter2\\"'],
  ['a single quote without end', `NAME='hunter2`],
  ['something after a quote', 'NAME="hunter2"hunter2'],
  ['a substitution as a name', '$(touch executed)=hunter2'],
])('%s is refused with the line, but not with what it says', async (_what, line) => {
  await release.write('.env', `FINE=1\n\n${line}\n`);
  const { code, output, errors } = await start().ended;
  expect({ code, output }).toEqual({ code: 1, output: '' });
  expect(errors).toContain('.env, line 3: ');
  expect(errors).not.toContain('hunter2');
  expect(existsSync(release.path('executed'))).toBe(false);
});

test('it checks, migrates and serves, in this order, and as the process that was started', async () => {
  const { child, ended } = start();
  const { code, output } = await ended;
  expect(code).toBe(0);
  expect(JSON.parse(output)).toMatchObject({ pid: child.pid, argv0: release.path('node_modules/.bin/node') });
  expect(await notes()).toEqual(['config --check', 'migrate', 'serve']);
});

test.each(['config', 'migrate'])(
  'where `%s` fails it ends with its exit code, and goes no further',
  async (command) => {
    await release.write(`${command}-fails`, '');
    const { code, output, errors } = await start().ended;
    expect({ code, output, errors }).toEqual({ code: 5, output: '', errors: `${command} fails\n` });
    expect(await notes()).not.toContain('serve');
  },
);

test('signals reach the service', async () => {
  await release.write('wait-to-serve', '');
  const { child, ended } = start();
  await until('it serves', async () => (await notes()).includes('serve'));
  child.kill('SIGHUP');
  await until('the reload has reached it', async () => (await notes()).includes('serve SIGHUP'));
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 7, signal: null });
});

test('a signal to stop during the migration is passed on to it, and is the end; a reload is not', async () => {
  await release.write('wait', '');
  const { child, ended } = start();
  await until('it migrates', async () => (await notes()).includes('migrate'));
  child.kill('SIGHUP');
  child.kill('SIGTERM');
  expect(await ended).toMatchObject({ code: 143, signal: null });
  expect(await notes()).toEqual(['config --check', 'migrate', 'migrate SIGTERM']);
});

test('without a build it says how to make one', async () => {
  await rm(release.path('dist'), { recursive: true });
  const { code, errors } = await start().ended;
  expect(code).toBe(1);
  expect(errors).toContain('npm run build');
});

test('without a Node that is new enough it says where to get one; one in PATH will do', async () => {
  await rm(release.path('node_modules'), { recursive: true });
  await release.write('old/node', '#!/bin/sh\necho v20.20.2\n', 0o755);
  await release.write('new/node', `#!/bin/sh\nexec ${process.execPath} "$@"\n`, 0o755);
  const PATH = '/usr/bin:/bin';
  const { code, errors } = await start({ PATH: `${release.path('old')}:${PATH}` }).ended;
  expect(code).toBe(1);
  expect(errors).toContain('no Node 24 or later');
  expect(errors).toContain('v20.20.2');
  expect(errors).toContain('npm install --prefix /opt/node node@24');
  const { argv } = await served({ PATH: `${release.path('new')}:${PATH}` });
  expect(argv[1]).toBe(release.path('dist/src/main.js'));
});
