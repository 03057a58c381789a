import { DuplicateError } from '../errors.ts';

/** Rows that were committed, by key. */
export class Table<Row> {
  readonly #rows: Map<string, Row>;

  constructor(rows: Iterable<readonly [string, Row]> = []) {
    this.#rows = new Map(rows);
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key);
  }

  all(): readonly Row[] {
    return [...this.#rows.values()];
  }

  draft(): TableDraft<Row> {
    return new TableDraft(this, (rows) => {
      for (const [key, row] of rows) this.#rows.set(key, row);
    });
  }
}

/** What a transaction is about to write to a table: nobody sees it before it is published. */
export class TableDraft<Row> {
  readonly #table: Table<Row>;
  readonly #publish: (rows: ReadonlyMap<string, Row>) => void;
  readonly #rows = new Map<string, Row>();

  constructor(table: Table<Row>, publish: (rows: ReadonlyMap<string, Row>) => void) {
    this.#table = table;
    this.#publish = publish;
  }

  get(key: string): Row | undefined {
    return this.#rows.get(key) ?? this.#table.get(key);
  }

  /** Throws `DuplicateError` where there is a row with this key already. */
  insert(key: string, row: Row): void {
    if (this.get(key) !== undefined) throw new DuplicateError(`there is a row with the key ${key} already`);
    this.put(key, row);
  }

  put(key: string, row: Row): void {
    this.#rows.set(key, row);
  }

  publish(): void {
    this.#publish(this.#rows);
  }
}
