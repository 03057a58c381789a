import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';

const script = path.join(import.meta.dirname, 'release-check.ts');
const run = promisify(execFile);

// Each runs npm several times, which takes seconds where others compute as well.
vi.setConfig({ testTimeout: 60_000 });

/** A checkout of another package, small and fit to be released. */
let root: string;

beforeEach(async () => {
  root = await mkdtemp(path.join(tmpdir(), 'holdfast-release-'));
  await put({
    '.gitignore': 'release/\n',
    'package.json': manifest({}),
    'package-lock.json': lock({}),
    'CHANGELOG.md': changelog('1.2.3 - 2026-01-31', '- It is faster.'),
    'dist/src/main.js': '',
  });
  await git('init', '--quiet');
  await commit();
}, 30_000);

afterEach(async () => {
  await rm(root, { recursive: true });
});

async function put(files: Readonly<Record<string, string>>): Promise<void> {
  for (const [name, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, name)), { recursive: true });
    await writeFile(path.join(root, name), text);
  }
}

function manifest(changes: object): string {
  const scripts = { 'test:documents': 'exit 0' };
  return JSON.stringify({
    name: 'holdfast',
    version: '1.2.3',
    files: ['dist', 'deploy'],
    scripts,
    ...changes,
  });
}

function lock(packages: Readonly<Record<string, object>>, version = '1.2.3'): string {
  const self = { name: 'holdfast', version };
  return JSON.stringify({ ...self, lockfileVersion: 3, requires: true, packages: { '': self, ...packages } });
}

function changelog(heading: string, line: string, unreleased = ''): string {
  return `# Changelog\n\n## Unreleased\n\n${unreleased}\n## ${heading}\n\n### Added\n\n${line}\n\n## 1.2.2 - 2025-12-01\n\n- Older.\n`;
}

async function git(...args: readonly string[]): Promise<void> {
  await run('git', ['-c', 'user.name=Test', '-c', 'user.email=test@example.org', ...args], { cwd: root });
}

async function commit(): Promise<void> {
  await git('add', '--all');
  await git('commit', '--quiet', '--message', 'All of it');
}

/** What the check prints, and how it ends. */
async function check(): Promise<{ code: number; output: string }> {
  try {
    const { stdout } = await run(process.execPath, [script], { cwd: root });
    return { code: 0, output: stdout };
  } catch (error) {
    const { code, stdout } = error as { code: number; stdout: string };
    return { code, output: stdout };
  }
}

/** Fails unless the one check has failed, for this reason. */
async function expectRefused(name: string, reason: string): Promise<void> {
  const { code, output } = await check();
  expect(code, output).toBe(1);
  expect(output.match(/^FAILED .*$/gm)).toEqual([`FAILED ${name}`]);
  expect(output).toContain(reason);
}

test('what can be released passes, and leaves the package and its bill of materials, not committed', async () => {
  await put({
    'package-lock.json': lock({
      'node_modules/plain': { version: '1.0.0', license: 'MIT' },
      'node_modules/either': { version: '1.0.0', license: '(GPL-3.0-only OR Apache-2.0)' },
      'node_modules/tool': { version: '1.0.0', license: 'GPL-3.0-only', dev: true },
    }),
    'package.json': manifest({
      dependencies: { plain: '1.0.0', either: '1.0.0' },
      devDependencies: { tool: '1.0.0' },
    }),
  });
  await commit();
  const { code, output } = await check();
  expect(output).not.toContain('FAILED');
  expect(code).toBe(0);
  expect(output).toContain('    dist/src/main.js\n');
  expect(await readdir(path.join(root, 'release'))).toEqual([
    'holdfast-1.2.3.cdx.json',
    'holdfast-1.2.3.tgz',
  ]);
  const bill = JSON.parse(await readFile(path.join(root, 'release/holdfast-1.2.3.cdx.json'), 'utf8')) as {
    bomFormat: string;
    metadata: { component: { name: string; version: string } };
    components: { name: string }[];
  };
  expect(bill).toMatchObject({
    bomFormat: 'CycloneDX',
    metadata: { component: { name: 'holdfast', version: '1.2.3' } },
  });
  expect(bill.components.map(({ name }) => name).toSorted()).toEqual(['either', 'plain']);
  // Again: what the first left is no obstacle.
  expect((await check()).code).toBe(0);
});

test.each<[string, Readonly<Record<string, string>>]>([
  ['M CHANGELOG.md', { 'CHANGELOG.md': changelog('1.2.3 - 2026-01-31', '- It is much faster.') }],
  ['?? notes.txt', { 'notes.txt': 'Not for everyone.' }],
])('a tree that is not clean: %s', async (line, files) => {
  await put(files);
  await expectRefused('the tree is clean', `not committed: ${line}`);
});

test('a tag that exists', async () => {
  await git('tag', 'v1.2.3');
  await expectRefused('the tag is free', 'the tag v1.2.3 exists');
});

describe('version and changelog that do not agree', () => {
  test.each<[string, Readonly<Record<string, string>>, string]>([
    [
      'another version is the newest',
      { 'CHANGELOG.md': changelog('1.2.4 - 2026-01-31', '- More.') },
      'the newest entry of CHANGELOG.md is "1.2.4 - 2026-01-31", not "1.2.3 - <date>"',
    ],
    [
      'no date',
      { 'CHANGELOG.md': changelog('1.2.3', '- More.') },
      'the newest entry of CHANGELOG.md is "1.2.3", not "1.2.3 - <date>"',
    ],
    [
      'no such day',
      { 'CHANGELOG.md': changelog('1.2.3 - 2026-02-31', '- More.') },
      'the date of 1.2.3 in CHANGELOG.md, 2026-02-31, is not one up to today',
    ],
    [
      'a day to come',
      { 'CHANGELOG.md': changelog('1.2.3 - 2999-01-01', '- More.') },
      'the date of 1.2.3 in CHANGELOG.md, 2999-01-01, is not one up to today',
    ],
    [
      'no line',
      { 'CHANGELOG.md': changelog('1.2.3 - 2026-01-31', '') },
      'the entry of CHANGELOG.md for 1.2.3 is empty',
    ],
    [
      'lines under Unreleased',
      { 'CHANGELOG.md': changelog('1.2.3 - 2026-01-31', '- More.', '- Forgotten.\n') },
      'CHANGELOG.md has lines under Unreleased: they belong to 1.2.3',
    ],
    ['no headings', { 'CHANGELOG.md': '# Changelog\n' }, 'CHANGELOG.md needs "## Unreleased"'],
    [
      'the lockfile',
      { 'package-lock.json': lock({}, '1.2.2') },
      'package-lock.json has version 1.2.2, package.json 1.2.3',
    ],
  ])('%s', async (_, files, reason) => {
    await put(files);
    await commit();
    await expectRefused('version and changelog agree', reason);
  });
});

describe('licences that are not allowed', () => {
  test.each<[string, object, string]>([
    ['another one', { license: 'GPL-3.0-only' }, 'odd@2.0.0 is under GPL-3.0-only'],
    [
      'one of two that both hold',
      { license: '(MIT AND GPL-3.0-only)' },
      'odd@2.0.0 is under (MIT AND GPL-3.0-only)',
    ],
    ['none', {}, 'odd@2.0.0 states no licence'],
    [
      'on another platform',
      { license: 'SSPL-1.0', optional: true, os: ['plan9'] },
      'odd@2.0.0 is under SSPL-1.0',
    ],
  ])('%s', async (_, fields, reason) => {
    await put({
      'package.json': manifest({ optionalDependencies: { odd: '2.0.0' } }),
      'package-lock.json': lock({ 'node_modules/odd': { version: '2.0.0', ...fields } }),
    });
    await commit();
    await expectRefused('licences of production dependencies are allowed', reason);
  });

  test('what the lockfile does not say is read from the package', async () => {
    await put({
      '.gitignore': 'release/\nnode_modules/\n',
      'package.json': manifest({ dependencies: { quiet: '2.0.0' } }),
      'package-lock.json': lock({ 'node_modules/quiet': { version: '2.0.0' } }),
      'node_modules/quiet/package.json': JSON.stringify({ name: 'quiet', version: '2.0.0', license: 'ISC' }),
    });
    await commit();
    expect((await check()).output).not.toContain('FAILED');
  });
});

test('guides with a block that nobody executes', async () => {
  const scripts = { 'test:documents': 'echo "DEPLOYMENT.md:12 is not claimed"; exit 1' };
  await put({ 'package.json': manifest({ scripts }) });
  await commit();
  await expectRefused(
    'every shell block of the guides is executed, or says why not',
    'DEPLOYMENT.md:12 is not claimed',
  );
});

describe('a package with the wrong contents', () => {
  test.each<[string, string, string]>([
    ['dist/src/main.test.js', '', 'dist/src/main.test.js does not belong into it'],
    ['dist/src/main.ts', '', 'dist/src/main.ts does not belong into it'],
    ['dist/src/main.js.map', '', 'dist/src/main.js.map does not belong into it'],
    ['deploy/.env', 'A=b', 'deploy/.env does not belong into it'],
    ['deploy/tls/key.pem', '-----BEGIN PRIVATE KEY-----', 'deploy/tls/key.pem has a private key in it'],
    ['dist/src/dev.js', `'hf_${'a'.repeat(32)}'`, 'dist/src/dev.js has an API key in it'],
  ])('%s', async (file, text, reason) => {
    await put({ [file]: text });
    await commit();
    await expectRefused('the package holds what it should', reason);
  });

  test('nothing to run', async () => {
    await rm(path.join(root, 'dist'), { recursive: true });
    await commit();
    await expectRefused('the package holds what it should', 'dist/src/main.js is missing');
  });
});
