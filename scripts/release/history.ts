import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Check } from './check.ts';
import { run } from './run.ts';

/** What is released is what is committed. */
export const cleanTree: Check = {
  name: 'the tree is clean',
  faults: async ({ root }) => {
    const changed = await run(root, ['git', 'status', '--porcelain']);
    return changed
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => `not committed: ${line.trim()}`);
  },
};

/** A version is released once. */
export const tagIsFree: Check = {
  name: 'the tag is free',
  faults: async ({ root, version }) => {
    const tag = `v${version}`;
    const found = await run(root, ['git', 'tag', '--list', tag]);
    return found.trim() === '' ? [] : [`the tag ${tag} exists: give package.json the next version`];
  },
};

/** The version in package.json, the one in the lockfile and the newest one in the changelog are the same, and its entry says something. */
export const changelogEntry: Check = {
  name: 'version and changelog agree',
  faults: async ({ root, version }) => {
    const faults: string[] = [];
    if (!/^\d+\.\d+\.\d+$/.test(version))
      faults.push(`${version} is not a version to release, such as 1.2.3`);
    const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as {
      version?: string;
    };
    if (lock.version !== version)
      faults.push(
        `package-lock.json has version ${String(lock.version)}, package.json ${version}: run npm install`,
      );
    const [unreleased, entry] = sections(await readFile(path.join(root, 'CHANGELOG.md'), 'utf8'));
    if (unreleased?.heading !== 'Unreleased' || entry === undefined)
      return [...faults, `CHANGELOG.md needs "## Unreleased" and below it "## ${version} - <date>"`];
    if (hasLines(unreleased.text))
      faults.push(`CHANGELOG.md has lines under Unreleased: they belong to ${version}`);
    const [, released, date] = /^\[?(\d+\.\d+\.\d+)\]? - (\d{4}-\d{2}-\d{2})$/.exec(entry.heading) ?? [];
    if (released !== version)
      faults.push(`the newest entry of CHANGELOG.md is "${entry.heading}", not "${version} - <date>"`);
    else if (!hasLines(entry.text)) faults.push(`the entry of CHANGELOG.md for ${version} is empty`);
    else if (!isPast(date))
      faults.push(`the date of ${version} in CHANGELOG.md, ${String(date)}, is not one up to today`);
    return faults;
  },
};

interface Section {
  readonly heading: string;
  readonly text: string;
}

function sections(changelog: string): readonly Section[] {
  return changelog
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [heading = '', ...text] = section.split('\n');
      return { heading: heading.trim(), text: text.join('\n') };
    });
}

function hasLines(text: string): boolean {
  return /^[-*] \S/m.test(text);
}

function isPast(date = ''): boolean {
  const ms = Date.parse(`${date}T00:00:00Z`);
  return new Date(ms || 0).toISOString().startsWith(date) && ms <= Date.now();
}
