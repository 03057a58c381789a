import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { Check } from './check.ts';

/** SPDX identifiers that ask for no more than a notice. Another one is a decision for people, not for this list alone. */
const allowed = new Set([
  '0BSD',
  'Apache-2.0',
  'BlueOak-1.0.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'CC0-1.0',
  'ISC',
  'MIT',
  'PostgreSQL',
  'Unlicense',
]);

/** Everything that an installation of the package may bring along, on any platform, is under a licence of the list. */
export const licences: Check = {
  name: 'licences of production dependencies are allowed',
  faults: async ({ root }) => {
    const lock = JSON.parse(await readFile(path.join(root, 'package-lock.json'), 'utf8')) as Lockfile;
    const faults: string[] = [];
    for (const [place, { dev, version, license }] of Object.entries(lock.packages)) {
      if (place === '' || dev === true) continue;
      const name = `${place.replace(/^.*node_modules\//, '')}@${String(version)}`;
      const licence = license ?? (await statedBy(path.join(root, place)));
      if (licence === undefined) faults.push(`${name} states no licence`);
      else if (!isAllowed(licence)) faults.push(`${name} is under ${licence}`);
    }
    return faults;
  },
};

interface Lockfile {
  /** By the place below the root where each is installed. */
  readonly packages: Readonly<
    Record<string, { readonly version?: string; readonly dev?: boolean; readonly license?: string }>
  >;
}

/** For what npm left out of the lockfile. */
async function statedBy(folder: string): Promise<string | undefined> {
  try {
    const manifest = JSON.parse(await readFile(path.join(folder, 'package.json'), 'utf8')) as {
      license?: unknown;
    };
    return typeof manifest.license === 'string' ? manifest.license : undefined;
  } catch {
    return undefined;
  }
}

/** Whether an SPDX expression leaves an allowed choice. One that is nested, or has an exception, is not understood, and refused. */
function isAllowed(expression: string): boolean {
  const plain = expression.trim().replace(/^\(([^()]*)\)$/, '$1');
  return plain
    .split(' OR ')
    .some((choice) => choice.split(' AND ').every((licence) => allowed.has(licence.trim())));
}
