/** Rows by key, on top of the rows of another layer. Asking for a key that no layer knows throws. */
export class Layer<Row> {
  readonly #what: string;
  readonly #below: Layer<Row> | undefined;
  readonly #rows = new Map<string, Row>();

  constructor(what: string, below?: Layer<Row>) {
    this.#what = what;
    this.#below = below;
  }

  get(key: string): Row {
    const row = this.#rows.get(key);
    if (row !== undefined) return row;
    if (this.#below !== undefined) return this.#below.get(key);
    if (this.#rows.has(key)) return row as Row;
    throw new Error(`${this.#what} ${key} is not in the command's footprint`);
  }

  set(key: string, row: Row): void {
    this.#rows.set(key, row);
  }

  /** The rows of this layer alone, as they were set since it was made. */
  own(): Row[] {
    return [...this.#rows.values()];
  }

  /** Hands the rows of this layer down to the one below. */
  merge(): void {
    if (this.#below === undefined) throw new Error('there is nothing below to merge into');
    for (const [key, row] of this.#rows) this.#below.set(key, row);
    this.#rows.clear();
  }
}
