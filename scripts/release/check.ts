/** What must hold before a release. Answers what is wrong, in words for whoever releases; nothing: it holds. */
export interface Check {
  readonly name: string;
  readonly faults: (checkout: Checkout) => Promise<readonly string[]>;
}

/** What is to be released. */
export interface Checkout {
  readonly root: string;
  readonly name: string;
  readonly version: string;
  /** Where the package and its bill of materials are written; not committed. */
  readonly output: string;
}
