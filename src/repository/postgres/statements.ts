/**
 * The statements of the write path, named so that each connection plans them once.
 *
 * A plan outlives the size of the tables it was made for: one made while a table was empty kept scanning it and
 * cost 7.7 ms a batch after 20,000 operations, instead of 0.1. So each transaction forbids scans and joins that
 * read whole tables (`begin`), look-ups of several keys are lateral with a limit, which leaves the planner
 * nothing but an index probe a key, and rows are written by INSERT … ON CONFLICT, which has no join to plan.
 */
export interface Statement {
  readonly name: string;
  readonly text: string;
}

export function statement(name: string, text: string): Statement {
  return { name: `holdfast_${name}`, text };
}

/** $1 lock wait, $2 statement time, $3 idle time, $4 check interval, with units. No session state: a pooler may sit between. */
export const settings = statement(
  'settings',
  `select
     set_config('lock_timeout', $1, true),
     set_config('statement_timeout', $2, true),
     set_config('idle_in_transaction_session_timeout', $3, true),
     set_config('client_connection_check_interval', $4, true),
     set_config('enable_seqscan', 'off', true),
     set_config('enable_hashjoin', 'off', true),
     set_config('enable_mergejoin', 'off', true)`,
);

export const lockWait = statement('lock_wait', `select set_config('lock_timeout', $1, true)`);

/** $1 ids in byte order, $2 their buckets. Ordered: two of these at once insert the same ids in the same order. */
export const ensureAccounts = statement(
  'ensure_accounts',
  `insert into accounts (id, bucket)
   select id, bucket from unnest($1::text[], $2::smallint[]) as new (id, bucket)
   on conflict do nothing`,
);

/** How rows of a table are locked by their keys ($1). The first column of each answer is the key. */
export interface Locks {
  readonly all: Statement;
  /** Leaves out what is locked and what is not there alike; `there`, a plain read, tells which. */
  readonly free: Statement;
  readonly there: Statement;
}

/** The sort is below the locking, so rows are locked in that order. */
function locks(table: string, key: string, columns: string): Locks {
  const wanted = `from ${table} where ${key} = any ($1::text[])`;
  const lock = `select ${key}, ${columns} ${wanted} order by ${key} for update`;
  return {
    all: statement(`lock_${table}`, lock),
    free: statement(`lock_free_${table}`, `${lock} skip locked`),
    there: statement(`${table}_there`, `select ${key} ${wanted}`),
  };
}

export const accountLocks = locks(
  'accounts',
  'id',
  `version, declared, capacity, stacks, (extract(epoch from at) * 1000)::float8 as at_ms`,
);

export const stockLocks = locks(
  'stock',
  'listing',
  `offered, refilled, remaining, (extract(epoch from refilled_at) * 1000)::float8 as refilled_at_ms`,
);

export const lockCatalog = statement('lock_catalog', `select version from catalog_version for update`);

/** $1 homes, $2 actors, $3 keys. */
export const recorded = statement(
  'recorded',
  `select wanted.home, wanted.actor, wanted.key, found.id, found.request_hash, found.receipt
   from unnest($1::text[], $2::text[], $3::text[]) as wanted (home, actor, key)
   cross join lateral (
     select id, request_hash, receipt::text from operations
     where home = wanted.home and actor = wanted.actor and idempotency_key = wanted.key
     limit 1
   ) as found`,
);

/** $1 accounts, $2 assets. */
export const holdings = statement(
  'holdings',
  `select wanted.account, wanted.asset, found.quantity, found.reserved
   from unnest($1::text[], $2::text[]) as wanted (account, asset)
   cross join lateral (
     select quantity, reserved from holdings
     where account = wanted.account and asset = wanted.asset
     limit 1
   ) as found`,
);

/** $1 accounts, $2 listings. */
export const purchaseCounts = statement(
  'purchase_counts',
  `select wanted.account, wanted.listing, found.count, found.since_ms
   from unnest($1::text[], $2::text[]) as wanted (account, listing)
   cross join lateral (
     select count, (extract(epoch from since) * 1000)::float8 as since_ms from purchase_counts
     where account = wanted.account and listing = wanted.listing
     limit 1
   ) as found`,
);

/** now() would be the transaction's start, which is older than whatever was waited for. */
export const now = statement(
  'now',
  `select version, floor(extract(epoch from clock_timestamp()) * 1000)::float8 as now_ms from catalog_version`,
);

export const lastPosition = statement('last_position', `select last_value from operation_position`);

/**
 * Announces that this transaction numbers operations above the last number given out, until it ends: a reader of
 * the feed does not go past the lowest such announcement. Shared, on a key that only says where: nobody waits.
 * The key is `feedNamespace` in the high 16 bits and the number in the low 48.
 */
export const announcePositions = statement(
  'announce_positions',
  `select pg_advisory_xact_lock_shared((18502::bigint << 48) | last_value) from operation_position`,
);

/** $1 ids, $2 buckets, $3 homes, $4 types, $5 times, $6 actors, $7 keys, $8 request hashes, $9 receipts, $10 stock lines. */
export const saveOperations = statement(
  'save_operations',
  `insert into operations (position, id, bucket, home, type, at, actor, idempotency_key, request_hash, receipt, stock)
   select nextval('operation_position'), new.*
   from unnest(
     $1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::timestamptz[], $6::text[], $7::text[], $8::text[], $9::json[], $10::json[]
   ) as new`,
);

/** $1 accounts, $2 versions, $3 assets, $4 buckets, $5 operations, $6 types, $7 times, $8 deltas, $9 balances. */
export const saveEntries = statement(
  'save_entries',
  `insert into entries (account, version, asset, bucket, operation, type, at, delta, balance)
   select * from unnest(
     $1::text[], $2::bigint[], $3::text[], $4::smallint[], $5::uuid[], $6::text[], $7::timestamptz[], $8::bigint[], $9::bigint[]
   )`,
);

/** $1 ids, $2 buckets, $3 versions, $4 stacks, $5 times. */
export const saveAccounts = statement(
  'save_accounts',
  `insert into accounts (id, bucket, version, stacks, at)
   select * from unnest($1::text[], $2::smallint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
   on conflict (id, bucket) do update set version = excluded.version, stacks = excluded.stacks, at = excluded.at`,
);

/** $1 accounts, $2 assets, $3 buckets, $4 quantities, $5 reserved. */
export const saveHoldings = statement(
  'save_holdings',
  `insert into holdings (account, asset, bucket, quantity, reserved)
   select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::bigint[])
   on conflict (account, asset, bucket) do update set quantity = excluded.quantity, reserved = excluded.reserved`,
);

/** $1 listings, $2 offered, $3 refilled, $4 remaining, $5 refilled at. */
export const saveStock = statement(
  'save_stock',
  `insert into stock (listing, offered, refilled, remaining, refilled_at)
   select * from unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::timestamptz[])
   on conflict (listing) do update
     set offered = excluded.offered, refilled = excluded.refilled, remaining = excluded.remaining,
       refilled_at = excluded.refilled_at`,
);

/** $1 accounts, $2 listings, $3 buckets, $4 counts, $5 since. */
export const savePurchaseCounts = statement(
  'save_purchase_counts',
  `insert into purchase_counts (account, listing, bucket, count, since)
   select * from unnest($1::text[], $2::text[], $3::smallint[], $4::bigint[], $5::timestamptz[])
   on conflict (account, listing, bucket) do update set count = excluded.count, since = excluded.since`,
);

/** $1 ids, $2 buckets, $3 capacities, $4 properties. */
export const saveProfiles = statement(
  'save_profiles',
  `insert into accounts (id, bucket, declared, capacity, properties)
   select id, bucket, true, capacity, properties
   from unnest($1::text[], $2::smallint[], $3::bigint[], $4::json[]) as new (id, bucket, capacity, properties)
   on conflict (id, bucket) do update
     set declared = true, capacity = excluded.capacity, properties = excluded.properties`,
);

/** $1 ids, $2 names, $3 kinds, $4 stack limits, $5 tradable, $6 sell prices, $7 tags (JSON arrays), $8 properties. */
export const saveAssets = statement(
  'save_assets',
  `insert into assets (id, name, kind, stack_limit, tradable, sell_price, tags, properties)
   select id, name, kind, stack_limit, tradable, sell_price,
     array (select json_array_elements_text(tags)), properties
   from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::boolean[], $6::json[], $7::json[], $8::json[])
     as new (id, name, kind, stack_limit, tradable, sell_price, tags, properties)
   on conflict (id) do update set
     name = excluded.name, kind = excluded.kind, stack_limit = excluded.stack_limit, tradable = excluded.tradable,
     sell_price = excluded.sell_price, tags = excluded.tags, properties = excluded.properties`,
);

/** $1 ids, $2 prices, $3 goods, $4 limited, $5 per-account limits, $6 periods, $7 opens, $8 closes, $9 restock rules. */
export const saveListings = statement(
  'save_listings',
  `insert into listings (id, price, goods, limited, per_account_limit, limit_period_seconds, opens_at, closes_at, restock)
   select * from unnest(
     $1::text[], $2::json[], $3::json[], $4::boolean[], $5::bigint[], $6::bigint[], $7::timestamptz[], $8::timestamptz[], $9::json[]
   )
   on conflict (id) do update set
     price = excluded.price, goods = excluded.goods, limited = excluded.limited,
     per_account_limit = excluded.per_account_limit, limit_period_seconds = excluded.limit_period_seconds,
     opens_at = excluded.opens_at, closes_at = excluded.closes_at, restock = excluded.restock`,
);

/** $1 ids, $2 types, $3 listings, $4 assets, $5 grants, $6 daily limits, $7 enabled, $8 since. */
export const saveRewardRules = statement(
  'save_reward_rules',
  `insert into reward_rules (id, on_type, on_listing, on_asset, "grant", daily_limit, enabled, since)
   select * from unnest(
     $1::text[], $2::text[], $3::text[], $4::text[], $5::json[], $6::bigint[], $7::boolean[], $8::bigint[]
   )
   on conflict (id) do update set
     on_type = excluded.on_type, on_listing = excluded.on_listing, on_asset = excluded.on_asset,
     "grant" = excluded."grant", daily_limit = excluded.daily_limit, enabled = excluded.enabled, since = excluded.since`,
);

export const raiseCatalogVersion = statement(
  'raise_catalog_version',
  `update catalog_version set version = version + 1`,
);

/** One statement, so one snapshot: a version never comes with the content of another. */
export const catalog = statement(
  'catalog',
  `select version,
     (select coalesce(json_agg(asset), '[]') from assets as asset) as assets,
     (select coalesce(json_agg(listing), '[]') from listings as listing) as listings,
     (select coalesce(json_agg(rule), '[]') from reward_rules as rule) as reward_rules
   from catalog_version`,
);
