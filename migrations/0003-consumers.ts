import { sql, type Kysely } from 'kysely';

/** Where each consumer of the feed has got to, and what it has given up on. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table consumers (
    name text collate "C" primary key,
    position bigint not null check (position >= 0),
    owner text,
    moved_at timestamptz(3),
    one_by_one_until bigint not null default 0,
    attempts integer not null default 0 check (attempts >= 0),
    error text,
    failed_at timestamptz(3)
  ) with (fillfactor = 10)`,
  `comment on table consumers is 'One row a consumer of the feed; who has it locked is the one that works. position: all operations up to here are handled or parked. owner: who moved it last. one_by_one_until: a page failed, and its operations are handled singly up to here. attempts: how often the next one has failed. error: what went wrong last, until something went well.'`,

  `create table parked_operations (
    consumer text collate "C" not null,
    position bigint not null,
    operation uuid not null,
    reason text not null,
    parked_at timestamptz(3) not null default clock_timestamp(),
    retry boolean not null default false,
    primary key (consumer, position)
  )`,
  `comment on table parked_operations is 'What a consumer has passed over, and why. retry: it is to try once more.'`,
  `create index parked_operations_retry on parked_operations (consumer, position) where retry`,
];
