import { sql, type Kysely } from 'kysely';

/** Endpoints that operations are delivered to, and what became of each delivery. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table webhooks (
    id uuid primary key,
    url text not null,
    types text[],
    secret text not null,
    retired_secret text,
    retired_until timestamptz(3),
    since bigint not null,
    created_at timestamptz(3) not null default clock_timestamp(),
    failing_since timestamptz(3),
    resting_until timestamptz(3),
    disabled_at timestamptz(3),
    disabled_because text,
    check ((retired_secret is null) = (retired_until is null)),
    check ((disabled_at is null) = (disabled_because is null))
  ) with (fillfactor = 50)`,
  `comment on table webhooks is 'One row an endpoint. types: the operations it wants; null: all. secret: in clear, because signing needs it. retired_secret: the one before, which signs as well until retired_until. since: operations numbered up to here are not its. failing_since: nothing was delivered since, though it was tried. resting_until: it is left alone until then.'`,

  // No reference to webhooks: an endpoint goes at once, and its many deliveries in portions.
  `create table webhook_deliveries (
    webhook uuid not null,
    position bigint not null,
    operation uuid not null,
    status text not null default 'pending' check (status in ('pending', 'delivered', 'dead')),
    attempts integer not null default 0 check (attempts >= 0),
    created_at timestamptz(3) not null default now(),
    next_attempt_at timestamptz(3) default now(),
    attempted_at timestamptz(3),
    duration_ms integer,
    response_status smallint,
    response_body text,
    error text,
    finished_at timestamptz(3),
    primary key (webhook, position),
    check ((status = 'pending') = (next_attempt_at is not null)),
    check ((status = 'pending') = (finished_at is null))
  )`,
  `comment on table webhook_deliveries is 'One row an operation that an endpoint gets: what is still to be sent, and the log of what was. attempted_at to error: of the last attempt. It is shown, and sent, under the id of its operation.'`,
  `create index webhook_deliveries_due on webhook_deliveries (webhook, next_attempt_at, position) where status = 'pending'`,
  `create index webhook_deliveries_dead on webhook_deliveries (webhook, position) where status = 'dead'`,
];
