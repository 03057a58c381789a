/**
 * Numbers operations, and knows up to where the numbering is settled: a transaction announces itself before it takes
 * its first number, and until it has ended nobody reads past the number that was the last one then.
 */
export class Positions {
  #last = 0;
  readonly #announced = new Map<object, number>();

  /** The last number given out. */
  get last(): number {
    return this.#last;
  }

  announce(transaction: object): void {
    if (!this.#announced.has(transaction)) this.#announced.set(transaction, this.#last);
  }

  next(): number {
    this.#last += 1;
    return this.#last;
  }

  end(transaction: object): void {
    this.#announced.delete(transaction);
  }

  /** Every operation numbered up to here was kept or given up. */
  horizon(): number {
    return Math.min(this.#last, ...this.#announced.values());
  }
}
