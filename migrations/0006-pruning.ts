import { sql, type Kysely } from 'kysely';

/** How far old idempotency keys have been pruned: without it each run would begin with the first operation again. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table pruning (
    name text collate "C" primary key,
    position bigint not null check (position >= 0)
  )`,
  `comment on table pruning is 'Up to which position of the feed something old has been removed. Locked by whoever removes more.'`,
  `insert into pruning (name, position) values ('idempotency keys', 0)`,
];
