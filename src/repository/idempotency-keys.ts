/** The keys of old operations. Those of rewards stay for ever: they are what keeps one from being granted twice. */
export interface IdempotencyKeys {
  /**
   * Removes the keys of the oldest operations that took effect longer ago than this, of so many operations at most, in a
   * transaction of its own; the operations stay. Goes on where it has stopped before. Of several callers one works and the
   * others wait.
   */
  prune(which: { readonly olderThanMs: number; readonly limit: number }): Promise<Pruned>;
}

export interface Pruned {
  readonly keys: number;
  /** Whether there may be more. */
  readonly more: boolean;
}
