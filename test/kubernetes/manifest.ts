import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { parse } from 'yaml';

/** Any object of Kubernetes, as far as all have it. */
export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
}

export const folder = path.resolve(import.meta.dirname, '../../deploy/kubernetes');

/** The names of all manifests: what is in the folder, without the list of them. */
export async function manifestNames(): Promise<string[]> {
  const names = await readdir(folder);
  return names.filter((name) => name.endsWith('.yaml') && name !== 'kustomization.yaml').sort();
}

/** The caller names what the file holds; the test of the types holds it to that. */
export async function readManifest<Kind>(name: string): Promise<Kind> {
  return parse(await readFile(path.join(folder, name), 'utf8')) as Kind;
}
