import { sql, type Kysely } from 'kysely';
import type { Role } from '../../domain/role.ts';
import type { ApiKey, ApiKeys, NewApiKey, StoredApiKey } from '../api-keys.ts';
import type { DB } from './database-types.ts';
import { translated } from './errors.ts';

/** How fresh the time of the last use is kept. */
const useIsStale = sql<boolean>`(last_used_at is null or last_used_at < now() - interval '1 minute')`;

const columns = [
  'id',
  'name',
  sql<Role>`role`.as('role'),
  'account',
  'prefix',
  sql<number>`(extract(epoch from created_at) * 1000)::float8`.as('createdAtMs'),
  sql<number | null>`(extract(epoch from last_used_at) * 1000)::float8`.as('lastUsedAtMs'),
] as const;

export class PostgresApiKeys implements ApiKeys {
  readonly #db: Kysely<DB>;

  constructor(db: Kysely<DB>) {
    this.#db = db;
  }

  async create(key: NewApiKey): Promise<ApiKey | null> {
    return await translated(
      async () =>
        await this.#db.transaction().execute(async (transaction) => {
          // Two who create keys of one name at once would not see each other's row.
          await sql`lock table api_keys in share row exclusive mode`.execute(transaction);
          const other = await transaction
            .selectFrom('api_keys')
            .select('id')
            .where('name', '=', key.name)
            .where(sql<boolean>`(role, coalesce(account, '')) <> (${key.role}, ${key.account ?? ''})`)
            .limit(1)
            .executeTakeFirst();
          if (other !== undefined) return null;
          return await transaction
            .insertInto('api_keys')
            .values({ ...key })
            .returning(columns)
            .executeTakeFirstOrThrow();
        }),
    );
  }

  async list({
    after,
    limit,
  }: {
    readonly after: string | null;
    readonly limit: number;
  }): Promise<readonly ApiKey[]> {
    return await translated(async () => {
      let page = this.#db.selectFrom('api_keys').select(columns).orderBy('id', 'desc').limit(limit);
      if (after !== null) page = page.where('id', '<', after);
      return await page.execute();
    });
  }

  async byPrefix(prefix: string): Promise<StoredApiKey | undefined> {
    return await translated(
      async () =>
        await this.#db
          .selectFrom('api_keys')
          .select(columns)
          .select(['digest', useIsStale.as('useIsStale')])
          .where('prefix', '=', prefix)
          .executeTakeFirst(),
    );
  }

  async remove(id: string): Promise<ApiKey | undefined> {
    return await translated(
      async () =>
        await this.#db.deleteFrom('api_keys').where('id', '=', id).returning(columns).executeTakeFirst(),
    );
  }

  async noteUse(id: string): Promise<void> {
    await translated(async () => {
      await this.#db
        .updateTable('api_keys')
        .set({ last_used_at: sql`now()` })
        .where('id', '=', id)
        .where(useIsStale)
        .execute();
    });
  }
}
