import type { Catalog } from '../domain/catalog.ts';
import type { Repository } from '../repository/repository.ts';

/**
 * This replica's copy of the catalog. It may be behind: whoever decides by it compares its version with the
 * database's inside the transaction, and refreshes it when they differ.
 */
export class CatalogCache {
  readonly #repository: Pick<Repository, 'catalog'>;
  #catalog: Catalog | undefined;
  #loading: Promise<Catalog> | undefined;

  constructor(repository: Pick<Repository, 'catalog'>) {
    this.#repository = repository;
  }

  /** Of the copy that is held now; null while there is none. */
  get version(): number | null {
    return this.#catalog?.version ?? null;
  }

  async current(): Promise<Catalog> {
    return this.#catalog ?? (await this.refresh());
  }

  /** Loads it anew. Callers that ask while it is being loaded share that load, and must look at what they get. */
  async refresh(): Promise<Catalog> {
    this.#loading ??= this.#load();
    return await this.#loading;
  }

  async #load(): Promise<Catalog> {
    try {
      this.#catalog = await this.#repository.catalog();
      return this.#catalog;
    } finally {
      this.#loading = undefined;
    }
  }
}
