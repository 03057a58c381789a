import { sql, type Kysely } from 'kysely';

/**
 * The ledger: accounts, what they hold, what is on offer, and every operation with its entries.
 *
 * Laid out so that a distributed PostgreSQL can take it over by `bucket`: the bucket is the last column of
 * every key of a row that belongs to an account, no key or reference leaves its bucket, nothing is numbered by
 * an identity column and there are no triggers. On one server no statement needs to name it.
 *
 * Identifiers compare byte by byte (`COLLATE "C"`): the lock order of the rows and the order in the service
 * must be the same one. The CHECKs stand behind the domain's own rules; one firing is a bug.
 * Fill factors leave room for HOT updates: a holding changes its quantity far more often than it is created.
 */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const quantityMax = '9007199254740991';

const statements = [
  `create table accounts (
    id text collate "C" not null,
    bucket smallint not null,
    version bigint not null default 0 check (version between 0 and ${quantityMax}),
    stacks bigint not null default 0 check (stacks between 0 and ${quantityMax}),
    at timestamptz(3),
    declared boolean not null default false,
    capacity bigint check (capacity between 0 and ${quantityMax}),
    properties json not null default '{}',
    primary key (id, bucket)
  ) with (fillfactor = 70)`,
  `comment on table accounts is 'One row an owner; its row lock guards everything the owner holds. version: operations so far. stacks: item holdings above zero. at: time of the last operation, if any. declared: put by a client; a row at version 0 that was not declared does not exist for readers.'`,

  `create table holdings (
    account text collate "C" not null,
    asset text collate "C" not null,
    bucket smallint not null,
    quantity bigint not null check (quantity between 0 and ${quantityMax}),
    reserved bigint not null default 0 check (reserved between 0 and quantity),
    primary key (account, asset, bucket)
  ) with (fillfactor = 70)`,
  `comment on table holdings is 'What an account owns of an asset. Written only under the account''s row lock.'`,

  `create table operations (
    id uuid not null,
    bucket smallint not null,
    position bigint not null,
    home text collate "C" not null,
    type text not null,
    at timestamptz(3) not null,
    actor text not null,
    idempotency_key text collate "C",
    request_hash text,
    receipt json not null,
    stock json,
    primary key (id, bucket)
  )`,
  `comment on table operations is 'Every accepted command: idempotency record, audit trail and event in one row. home: the account (or /listings/<id>) it and its key belong to. receipt: what the caller got, word for word. stock: what it did to limited listings.'`,
  `create unique index operations_key on operations (home, actor, idempotency_key, bucket)`,
  `create index operations_position on operations (position)`,

  // Starts at a value that counts as used, so that last_value is always a number already given out.
  `create sequence operation_position minvalue 0 start 0`,
  `select nextval('operation_position')`,

  `create table entries (
    account text collate "C" not null,
    version bigint not null check (version between 1 and ${quantityMax}),
    asset text collate "C" not null,
    bucket smallint not null,
    operation uuid not null,
    type text not null,
    at timestamptz(3) not null,
    delta bigint not null check (delta between -${quantityMax} and ${quantityMax}),
    balance bigint not null check (balance between 0 and ${quantityMax}),
    primary key (account, version, asset, bucket)
  )`,
  `comment on table entries is 'One line of an operation: account, asset, delta, balance after. An account''s history is in the order of version, and needs no other table to be shown.'`,

  `create table assets (
    id text collate "C" primary key,
    name text not null,
    kind text not null check (kind in ('currency', 'item', 'stat')),
    stack_limit bigint check (stack_limit between 1 and ${quantityMax}),
    tradable boolean not null,
    sell_price json,
    tags text[] not null,
    properties json not null
  )`,

  `create table listings (
    id text collate "C" primary key,
    price json not null,
    goods json not null,
    limited boolean not null,
    per_account_limit bigint check (per_account_limit between 1 and ${quantityMax}),
    limit_period_seconds bigint check (limit_period_seconds between 1 and ${quantityMax}),
    opens_at timestamptz(3),
    closes_at timestamptz(3),
    restock json
  )`,

  `create table stock (
    listing text collate "C" primary key,
    offered bigint not null check (offered between 0 and ${quantityMax}),
    refilled bigint not null default 0 check (refilled between 0 and ${quantityMax}),
    remaining bigint not null check (remaining between 0 and offered + refilled),
    refilled_at timestamptz(3) not null
  ) with (fillfactor = 10)`,
  `comment on table stock is 'offered: units put on offer by people. refilled: units added by the listing''s own rule, counted up to refilled_at. remaining: what is left of both. The hottest rows: locked last, held shortest.'`,

  `create table purchase_counts (
    account text collate "C" not null,
    listing text collate "C" not null,
    bucket smallint not null,
    count bigint not null check (count between 0 and ${quantityMax}),
    since timestamptz(3) not null,
    primary key (account, listing, bucket)
  ) with (fillfactor = 70)`,
  `comment on table purchase_counts is 'Units an account bought of a listing with a limit since the window began. Written only under the account''s row lock.'`,

  `create table catalog_version (
    only_row boolean primary key default true check (only_row),
    version bigint not null
  ) with (fillfactor = 10)`,
  `comment on table catalog_version is 'Goes up with each change of the catalog. Locked by whoever changes it, read under no lock by every batch.'`,
  `insert into catalog_version (version) values (1)`,

  `create table verifications (
    id uuid primary key,
    started_at timestamptz(3) not null,
    finished_at timestamptz(3) not null,
    actor text not null,
    result json not null
  )`,
  `create index verifications_started_at on verifications (started_at)`,
];
