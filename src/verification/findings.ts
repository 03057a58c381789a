import type { Json } from '../domain/json.ts';
import type { Discrepancy, DiscrepancyKind, Place } from '../domain/verification.ts';

/** Collects discrepancies: counts all of them and keeps the first ones, so that a ledger can't be too broken to verify. */
export class Findings {
  readonly #max: number;
  readonly #kept: Discrepancy[] = [];
  #count = 0;

  constructor(max: number) {
    this.#max = max;
  }

  /** How many there are in all. */
  get count(): number {
    return this.#count;
  }

  /** The first ones, in the order in which they were found. */
  get kept(): readonly Discrepancy[] {
    return this.#kept;
  }

  add(kind: DiscrepancyKind, where: Place, { expected, found, message }: Finding): void {
    this.#count += 1;
    if (this.#kept.length < this.#max) this.#kept.push({ kind, where, expected, found, message });
  }
}

interface Finding {
  readonly expected: Json;
  readonly found: Json;
  readonly message: string;
}
