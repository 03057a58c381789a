import { Kysely, PostgresDialect, type Generated, type JSONColumnType } from 'kysely';
import pg from 'pg';

/** The tables of the row-lock service: the same facts as Holdfast keeps of a purchase, with the same indexes. */
export interface RowLockTables {
  accounts: { id: string; version: Generated<number>; at: Date | null };
  holdings: { account: string; asset: string; quantity: number };
  listings: {
    id: string;
    price: JSONColumnType<AssetQuantity[]>;
    goods: JSONColumnType<AssetQuantity[]>;
    limited: boolean;
  };
  stock: { listing: string; remaining: number };
  operations: {
    id: string;
    account: string;
    type: string;
    at: Date;
    actor: string;
    idempotency_key: string;
    request_hash: string;
    /** `json` keeps the receipt word for word, and the driver is not to parse what is only handed on. */
    receipt: string;
  };
  entries: {
    account: string;
    version: number;
    asset: string;
    operation: string;
    delta: number;
    balance: number;
  };
}

export interface AssetQuantity {
  readonly asset: string;
  readonly quantity: number;
}

export const rowLockSchema = `
  create table accounts (
    id text collate "C" primary key, version bigint not null default 0, at timestamptz
  ) with (fillfactor = 70);
  create table holdings (
    account text collate "C" not null, asset text collate "C" not null,
    quantity bigint not null check (quantity >= 0), primary key (account, asset)
  ) with (fillfactor = 70);
  create table listings (
    id text collate "C" primary key, price json not null, goods json not null, limited boolean not null
  );
  create table stock (
    listing text collate "C" primary key, remaining bigint not null check (remaining >= 0)
  ) with (fillfactor = 10);
  create table operations (
    id uuid primary key, account text collate "C" not null, type text not null, at timestamptz not null,
    actor text not null, idempotency_key text collate "C" not null, request_hash text not null, receipt json not null
  );
  create unique index operations_key on operations (account, actor, idempotency_key);
  create table entries (
    account text collate "C" not null, version bigint not null, asset text collate "C" not null,
    operation uuid not null, delta bigint not null, balance bigint not null check (balance >= 0),
    primary key (account, version, asset)
  );
`;

export interface RowLockDatabaseOptions {
  readonly url: string;
  readonly connectionsMax: number;
}

/** A pool with bounds on every wait, so that nothing that hangs holds a lock for ever. */
export function openRowLockDatabase({ url, connectionsMax }: RowLockDatabaseOptions): Kysely<RowLockTables> {
  const pool = new pg.Pool({
    connectionString: url,
    max: connectionsMax,
    connectionTimeoutMillis: 5000,
    lock_timeout: 5000,
    statement_timeout: 10_000,
    idle_in_transaction_session_timeout: 5000,
    types,
  });
  pool.on('error', () => undefined);
  return new Kysely<RowLockTables>({ dialect: new PostgresDialect({ pool }) });
}

const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
