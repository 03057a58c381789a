/**
 * The statements of the audit. Each reads one page in the order of an index, which the row comparison enters where the
 * page before ended, so a page costs the same wherever it lies. They are planned each time, with their values known:
 * that takes 0.1 ms, and `$n is null` costs nothing.
 *
 * `settings` leaves the planner nothing but that index. It would rather read a whole table that it believes to be small
 * (one without statistics, say) and sort it: once for each page.
 */
export function settings({ statementTimeoutMs, idleTimeoutMs }: AuditTimeouts): string {
  return `
    set local statement_timeout = ${statementTimeoutMs};
    set local idle_in_transaction_session_timeout = ${idleTimeoutMs};
    set local enable_seqscan = off;
    set local enable_bitmapscan = off;
    set local enable_hashjoin = off;
    set local enable_mergejoin = off;
    set local max_parallel_workers_per_gather = 0;
    set local jit = off`;
}

export interface AuditTimeouts {
  readonly statementTimeoutMs: number;
  readonly idleTimeoutMs: number;
}

/**
 * $1 position, $2 id, $3 bucket of the operation before; $4 the last position wanted, or null; $5 limit. Positions are
 * indexed alone and should be unique, so only operations that share one have to be sorted.
 */
export const operations = operationPage(
  `id, bucket, position, home, type, ${ms('at')} as "atMs", actor, receipt::text, stock::text`,
);

/** The same. */
export const stockLines = operationPage('id, bucket, position, stock::text');

/** $1 ids. */
export const operationsById = `
  select found.id, found.position, found.receipt
  from unnest($1::uuid[]) as wanted (id)
  cross join lateral (
    select id, position, receipt::text from operations where id = wanted.id limit 1
  ) as found`;

export const lastPosition = `select last_value as position from operation_position`;

/** $1 account, $2 version, $3 asset, $4 bucket of the entry before; $5 limit. */
export const entries = `
  select ${entryColumns('entries')}
  from entries
  where (account, version, asset, bucket) > ($1, $2, $3, $4::int)
  order by account, version, asset, bucket
  limit $5`;

/** $1 account. */
export const lastVersion = `
  select version from entries where account = $1 order by version desc limit 1`;

/** $1 accounts, $2 versions, $3 how many of each at most. */
export const entriesAt = `
  select found.*
  from unnest($1::text[], $2::bigint[], $3::bigint[]) as wanted (account, version, most)
  cross join lateral (
    select ${entryColumns('entry')}
    from entries as entry
    where entry.account = wanted.account and entry.version = wanted.version
    order by entry.asset, entry.bucket
    limit wanted.most
  ) as found`;

/** $1 account, $2 bucket of the row before; $3 the first account not wanted, or null; $4 limit. */
export const accounts = `
  select id as account, bucket, version, stacks, ${ms('at')} as "atMs"
  from accounts
  where (id, bucket) > ($1, $2::int) and ($3::text is null or id < $3)
  order by id, bucket
  limit $4`;

/** $1 account, $2 asset, $3 bucket of the row before; $4 the first account not wanted, or null; $5 limit. */
export const holdings = `
  select account, asset, bucket, quantity, reserved, (select kind from assets where id = asset) as kind
  from holdings
  where (account, asset, bucket) > ($1, $2, $3::int) and ($4::text is null or account < $4)
  order by account, asset, bucket
  limit $5`;

/** $1 account, $2 listing, $3 bucket of the row before; $4 the first account not wanted, or null; $5 limit. */
export const purchaseCounts = `
  select account, listing, bucket, count, ${ms('since')} as "sinceMs"
  from purchase_counts
  where (account, listing, bucket) > ($1, $2, $3::int) and ($4::text is null or account < $4)
  order by account, listing, bucket
  limit $5`;

/** $1 the listing before, $2 limit. */
export const stock = `
  select listing, offered, refilled, remaining, ${ms('refilled_at')} as "refilledAtMs"
  from stock where listing > $1 order by listing limit $2`;

/** $1 the listing before, $2 limit. */
export const listings = `select id, limited from listings where id > $1 order by id limit $2`;

/** As the planner guesses it: by the density of its last count and the size of now, or by the size alone. */
export const estimatedEntries = `
  select case when reltuples > 0 and relpages > 0 then reltuples / relpages else 70 end
    * pg_relation_size(oid) / current_setting('block_size')::int as count
  from pg_class where oid = 'entries'::regclass`;

export const isStandby = `select pg_is_in_recovery() as standby`;

function operationPage(columns: string): string {
  return `
    select ${columns}
    from operations
    where position >= $1 and (position, id, bucket) > ($1, $2::uuid, $3::int)
      and ($4::bigint is null or position <= $4)
    order by position, id, bucket
    limit $5`;
}

function ms(column: string): string {
  return `(extract(epoch from ${column}) * 1000)::float8`;
}

function entryColumns(table: string): string {
  const columns = ['account', 'version', 'asset', 'bucket', 'operation', 'type', 'delta', 'balance'];
  return `${columns.map((column) => `${table}.${column}`).join(', ')}, ${ms(`${table}.at`)} as "atMs"`;
}
