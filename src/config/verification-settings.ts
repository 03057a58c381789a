import { duration, integer, type Setting } from './setting.ts';

/** How fast a verification goes, and what it keeps. */
export const verificationSettings = {
  VERIFY_PAGE_ROWS: integer({
    description:
      'Rows that a verification reads at once: what it keeps in memory, and how long a snapshot of its lives.',
    min: 10,
    max: 100_000,
    default: '1000',
  }),
  VERIFY_PAUSE: duration({
    description:
      'How long a verification rests after each page, for the operations that go on meanwhile. Shorter is faster, and costs them more.',
    default: '10ms',
    maxMs: 60_000,
  }),
  VERIFY_DISCREPANCIES_MAX: integer({
    description: 'Discrepancies that are kept of one verification; all are counted.',
    min: 1,
    max: 100_000,
    default: '1000',
  }),
} satisfies Record<string, Setting<unknown>>;
