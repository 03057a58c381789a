import type pg from 'pg';

/** A table as it is at one moment. */
interface TableState {
  readonly name: string;
  /** Another file: the table was written anew. */
  readonly file: string;
  readonly indexes: ReadonlySet<string>;
  /** Times that it was read as a whole, by the transaction under way. */
  readonly scans: number;
  readonly modes: ReadonlySet<string>;
  readonly columns: ReadonlyMap<string, Column>;
}

interface Column {
  readonly name: string;
  readonly required: boolean;
}

/**
 * As large as the catalog, which is thousands of rows and not millions: reading one as a whole under a lock takes
 * milliseconds.
 */
const smallTables: ReadonlySet<string> = new Set(['assets', 'listings', 'stock', 'catalog_version']);

/** Each conflicts with what every operation does: insert, update, `select … for update`. */
const blocking: readonly string[] = [
  'ShareLock',
  'ShareRowExclusiveLock',
  'ExclusiveLock',
  'AccessExclusiveLock',
];

/** Looks at the tables that were there when it began, and says what statements do to them. */
export class TableWatch {
  readonly #client: pg.Client;
  readonly #atFirst: ReadonlyMap<string, TableState>;
  #last: ReadonlyMap<string, TableState>;

  static async begin(client: pg.Client): Promise<TableWatch> {
    return new TableWatch(client, await tablesOf(client));
  }

  private constructor(client: pg.Client, tables: ReadonlyMap<string, TableState>) {
    this.#client = client;
    this.#atFirst = tables;
    this.#last = tables;
  }

  /** Takes what there is now as known. */
  async look(): Promise<void> {
    this.#last = await tablesOf(this.#client);
  }

  /** What is wrong with the statement that has just run, while its locks are still held. */
  async harmOf(text: string, how: 'in a transaction' | 'by itself'): Promise<string[]> {
    const before = this.#last;
    await this.look();
    const faults: string[] = [];
    for (const [oid, first] of this.#atFirst) {
      const [was, is] = [before.get(oid), this.#last.get(oid)];
      if (was === undefined || is === undefined || smallTables.has(first.name)) continue;
      const harm = harmBetween(was, is, how);
      if (harm !== undefined) faults.push(`${first.name} ${harm}: ${text.trim()}`);
    }
    return faults;
  }

  /** What the version before would miss, or trip over, but for what may be removed. */
  async incompatibilities(removable: ReadonlySet<string>): Promise<string[]> {
    await this.look();
    const faults: string[] = [];
    for (const [oid, { name, columns }] of this.#atFirst) {
      const now = this.#last.get(oid);
      if (now?.name !== name) {
        if (!removable.has(name))
          faults.push(`table ${name} is ${now === undefined ? 'dropped' : 'renamed'}`);
        continue;
      }
      for (const [number, column] of columns) {
        const what = `${name}.${column.name}`;
        const kept = now.columns.get(number);
        if (kept?.name !== column.name) {
          if (!removable.has(what))
            faults.push(`column ${what} is ${kept === undefined ? 'dropped' : 'renamed'}`);
        } else if (kept.required && !column.required) faults.push(`column ${what} must now be given`);
      }
      for (const [number, column] of now.columns)
        if (!columns.has(number) && column.required)
          faults.push(`column ${name}.${column.name} is new and must be given`);
    }
    return faults;
  }
}

/** Undefined: none. */
function harmBetween(
  was: TableState,
  is: TableState,
  how: 'in a transaction' | 'by itself',
): string | undefined {
  const blocked = blocking.filter((mode) => is.modes.has(mode)).join(', ');
  if (is.file !== was.file) return 'is written anew while nobody can use it';
  const scanned = is.scans > was.scans;
  if (blocked !== '' && [...is.indexes].some((index) => !was.indexes.has(index)) && scanned)
    return `is indexed while nobody can write to it (${blocked}; CREATE INDEX CONCURRENTLY blocks nobody)`;
  if (blocked !== '' && scanned) return `is read as a whole while it is locked (${blocked})`;
  if (how === 'in a transaction' && scanned && is.modes.has('RowExclusiveLock'))
    return 'has its rows changed all at once, and they stay locked until the end';
  if (how === 'by itself' && blocked !== '')
    return `is locked (${blocked}) without a bound on the wait for it: that belongs in a transaction`;
  return undefined;
}

async function tablesOf(client: pg.Client): Promise<Map<string, TableState>> {
  const { rows } = await client.query<{
    oid: string;
    name: string;
    file: string;
    scans: string;
    indexes: string[];
    modes: string[];
    columns: { number: number; name: string; required: boolean }[];
  }>(`
    select c.oid::text, c.relname::text as name, c.relfilenode::text as file,
      coalesce(pg_stat_get_xact_numscans(c.oid), 0)::text as scans,
      array(select indexrelid::text from pg_index where indrelid = c.oid) as indexes,
      array(select mode from pg_locks where relation = c.oid and pid = pg_backend_pid() and granted) as modes,
      (select coalesce(json_agg(json_build_object('number', attnum, 'name', attname,
                'required', attnotnull and not atthasdef and attidentity = '')), '[]')
       from pg_attribute where attrelid = c.oid and attnum > 0 and not attisdropped) as columns
    from pg_class c
    where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace and c.relname not like 'kysely\\_%'`);
  return new Map(
    rows.map(({ oid, name, file, scans, indexes, modes, columns }) => [
      oid,
      {
        name,
        file,
        scans: Number(scans),
        indexes: new Set(indexes),
        modes: new Set(modes),
        columns: new Map(columns.map(({ number, ...column }) => [String(number), column])),
      },
    ]),
  );
}
