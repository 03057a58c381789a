import { fastify, type FastifyInstance } from 'fastify';
import pg from 'pg';
import type { DemoServiceOptions } from './service-process.ts';

/**
 * A shop that protects "read, compute, write" by a mutex in its own memory, as many services do. With one process it
 * is right. With two it loses updates and sells what it does not have: each has a mutex of its own, and READ COMMITTED,
 * the default of PostgreSQL, lets both read the same balance before either writes. The transaction does not help.
 *
 * Here to be shown wrong. Never to be copied.
 */
export function buildUnsafeMutexService({ databaseUrl }: DemoServiceOptions): FastifyInstance {
  const pool = new pg.Pool({ connectionString: databaseUrl, max: poolMax, types });
  pool.on('error', () => undefined);
  const mutexes = new KeyedMutex();
  const app = fastify();
  app.post<{ Body: { account: string; listing: string } }>('/v1/purchases', async (request, reply) => {
    const { account, listing } = request.body;
    const key = String(request.headers['idempotency-key']);
    const refused = await mutexes.runExclusive(`account ${account}`, async () =>
      mutexes.runExclusive(`listing ${listing}`, async () => await buy(pool, { account, listing, key })),
    );
    if (refused === undefined) return await reply.code(201).send({ account, listing });
    return await reply.code(409).send({ status: 409, code: refused, retryable: false });
  });
  app.addHook('onClose', async () => await pool.end());
  return app;
}

export const unsafeMutexSchema = `
  create table listings (id text primary key, price bigint not null, item text not null);
  create table stock (listing text primary key, remaining bigint not null);
  create table holdings (
    account text not null, asset text not null, quantity bigint not null, primary key (account, asset)
  );
  create table purchases (key text primary key, account text not null, listing text not null, at timestamptz not null);
`;

interface Purchase {
  readonly account: string;
  readonly listing: string;
  readonly key: string;
}

const poolMax = 10;
const currency = 'gold';

/** Buys one unit, or says why not. Right only if nobody else does the same at the same time. */
async function buy(pool: pg.Pool, { account, listing, key }: Purchase): Promise<string | undefined> {
  const client = await pool.connect();
  const quantityOf = async (asset: string): Promise<number> => {
    const { rows } = await client.query<{ quantity: number }>(
      'select quantity from holdings where account = $1 and asset = $2',
      [account, asset],
    );
    return rows[0]?.quantity ?? 0;
  };
  try {
    await client.query('begin');
    const offer = await client.query<{ price: number; item: string; remaining: number | null }>(
      'select price, item, remaining from listings left join stock on listing = id where id = $1',
      [listing],
    );
    const { price = 0, item = '', remaining = null } = offer.rows[0] ?? {};
    const gold = await quantityOf(currency);
    const owned = await quantityOf(item);
    const refused =
      remaining !== null && remaining < 1
        ? 'out_of_stock'
        : gold < price
          ? 'insufficient_balance'
          : undefined;
    if (refused !== undefined) {
      await client.query('rollback');
      return refused;
    }
    const write = 'update holdings set quantity = $3 where account = $1 and asset = $2';
    await client.query(write, [account, currency, gold - price]);
    await client.query(write, [account, item, owned + 1]);
    if (remaining !== null)
      await client.query('update stock set remaining = $2 where listing = $1', [listing, remaining - 1]);
    await client.query('insert into purchases (key, account, listing, at) values ($1, $2, $3, now())', [
      key,
      account,
      listing,
    ]);
    await client.query('commit');
    return undefined;
  } catch (error) {
    await client.query('rollback');
    throw error;
  } finally {
    client.release();
  }
}

/** Lets one at a time in for each name, in the order in which they come: within this process. */
class KeyedMutex {
  readonly #last = new Map<string, Promise<unknown>>();

  async runExclusive<Result>(name: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(name);
    const done = Promise.withResolvers<undefined>();
    this.#last.set(name, done.promise);
    await before;
    try {
      return await work();
    } finally {
      done.resolve(undefined);
      if (this.#last.get(name) === done.promise) this.#last.delete(name);
    }
  }
}

const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);
