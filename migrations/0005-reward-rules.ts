import { sql, type Kysely } from 'kysely';

/** Reward rules: what operations earn. How often an account has earned by one in a day is counted among its purchase counts. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const quantityMax = '9007199254740991';

const statements = [
  `create table reward_rules (
    id text collate "C" primary key,
    on_type text not null,
    on_listing text collate "C",
    on_asset text collate "C",
    "grant" json not null,
    daily_limit bigint check (daily_limit between 1 and ${quantityMax}),
    enabled boolean not null,
    since bigint not null check (since between 0 and ${quantityMax})
  )`,
  `comment on table reward_rules is 'Part of the catalog: catalog_version goes up with each change. since: the last position in the feed when the rule came into force; operations up to there earn nothing by it.'`,
  `comment on table purchase_counts is 'Units an account bought of a listing with a limit since the window began; under /reward-rules/<rule>/<day>, rewards it earned on that day. Written only under the account''s row lock.'`,
];
