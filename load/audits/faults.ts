const shownMax = 10;

/** What an audit found, with no more than a handful of lines of each kind: thousands of the same help nobody. */
export class Faults {
  readonly #found = new Map<string, string[]>();

  /** `kind` says what is wrong, `what` where. */
  add(kind: string, what: string): void {
    const found = this.#found.get(kind) ?? [];
    found.push(what);
    this.#found.set(kind, found);
  }

  /** Empty: nothing is wrong. */
  get lines(): readonly string[] {
    return [...this.#found].map(([kind, found]) => {
      const more = found.length > shownMax ? ' …' : '';
      return `${kind} (${found.length}): ${found.slice(0, shownMax).join(', ')}${more}`;
    });
  }
}
