import { SettingFault, type Setting } from './setting.ts';

interface Field {
  readonly name: string;
  readonly min: number;
  readonly max: number;
}

/** In the order of a line; Sunday is 0 as well as 7. */
const fields: readonly Field[] = [
  { name: 'minute', min: 0, max: 59 },
  { name: 'hour', min: 0, max: 23 },
  { name: 'day of the month', min: 1, max: 31 },
  { name: 'month', min: 1, max: 12 },
  { name: 'day of the week', min: 0, max: 7 },
];

/** The text of a cron line, or null for `off`: exactly what the scheduler understands. */
export function cronLine(options: { description: string; default: string }): Setting<string | null> {
  return {
    description: options.description,
    type: 'cron line or off',
    required: true,
    secret: false,
    defaultIn: () => options.default,
    parse: (text) => (text === 'off' ? null : checked(text)),
  };
}

function checked(text: string): string {
  const parts = text.split(' ');
  if (parts.length !== fields.length)
    throw new SettingFault('must be off or five fields, minute hour day month weekday, such as 0 3 * * *');
  for (const [i, field] of fields.entries())
    for (const item of (parts[i] ?? '').split(',')) {
      if (!fits(item, field))
        throw new SettingFault(
          `must have ${field.min} to ${field.max}, a range of them, * or */n as the ${field.name}, not ${item}`,
        );
    }
  return text;
}

function fits(item: string, { min, max }: Field): boolean {
  const [, divisor] = /^\*(?:\/([0-9]{1,2}))?$/.exec(item) ?? [];
  if (item === '*' || divisor !== undefined) return divisor === undefined || Number(divisor) >= 1;
  const [, from, to] = /^([0-9]{1,2})(?:-([0-9]{1,2}))?$/.exec(item) ?? [];
  if (from === undefined) return false;
  const [first, last] = [Number(from), Number(to ?? from)];
  return first >= min && last <= max && (to === undefined || first < last);
}
