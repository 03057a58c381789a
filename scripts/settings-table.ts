import { readFile, writeFile } from 'node:fs/promises';
import { settings } from '../src/config/settings.ts';
import { environments, type Setting } from '../src/config/setting.ts';

/**
 * Writes the table of all settings into PRODUCTION.md, between its two markers, from the code; with `--verify`, fails
 * where the document has another one.
 */
const document = new URL('../PRODUCTION.md', import.meta.url);
const [begin, end] = ['<!-- settings: begin -->', '<!-- settings: end -->'];
const verify = process.argv.includes('--verify');

const text = await readFile(document, 'utf8');
const from = text.indexOf(begin);
const to = text.indexOf(end);
if (from === -1 || to < from) throw new Error(`PRODUCTION.md must have ${begin} and, after it, ${end}`);
const written = `${text.slice(0, from + begin.length)}\n${table()}\n${text.slice(to)}`;
if (!verify) await writeFile(document, written);
else if (written !== text) {
  process.stderr.write(
    'The settings in PRODUCTION.md are not those of src/config: run `npm run docs:settings`\n',
  );
  process.exitCode = 1;
}

function table(): string {
  const head = ['| setting | type | default | what it is |', '|---|---|---|---|'];
  return [...head, ...Object.entries<Setting<unknown>>(settings).map(row)].join('\n');
}

function row([name, setting]: [string, Setting<unknown>]): string {
  const cells = [`\`${name}\``, setting.type, defaultOf(setting), setting.description];
  return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
}

/** One value where all environments have the same. */
function defaultOf({ defaultIn, required }: Setting<unknown>): string {
  const values = environments.map(defaultIn);
  const [first = null] = values;
  if (values.some((value) => value !== first))
    return environments.map((environment, i) => `${environment} \`${values[i] ?? ''}\``).join(', ');
  if (first === null) return required ? 'none: must be given' : 'none';
  return first === '' ? 'empty' : `\`${first}\``;
}
