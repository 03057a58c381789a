/** Something that has not happened yet. Tests wait on gates instead of sleeping. */
export class Gate {
  readonly #resolvers = Promise.withResolvers<undefined>();

  /** Resolves once the gate is open. */
  get opened(): Promise<undefined> {
    return this.#resolvers.promise;
  }

  open(): void {
    this.#resolvers.resolve(undefined);
  }
}
