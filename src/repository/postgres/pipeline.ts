import type { PoolClient, QueryArrayResult } from 'pg';
import { arrayLiteral } from './array-literal.ts';
import type { Statement } from './statements.ts';

/** A value of a statement; an array of them is sent as a PostgreSQL array. */
export type Value = string | number | boolean | null | readonly (string | number | boolean | null)[];

export type Row = readonly unknown[];

/**
 * Sends statements over one connection without waiting for the answers of those before. All that are sent within
 * one turn of the event loop leave in one write: a transaction costs two round trips, not one a statement.
 *
 * `pg` ends each statement with a Sync of its own, so one that fails does not keep the next from running: what must
 * not run after a failure is sent after the answer.
 */
export class Pipeline {
  readonly #client: PoolClient;
  readonly #named: boolean;
  #corked = false;

  constructor(client: PoolClient, options: { named: boolean }) {
    this.#client = client;
    this.#named = options.named;
  }

  async send(statement: Statement, values: readonly Value[] = []): Promise<readonly Row[]> {
    const result = await this.#query(statement, values);
    return result.rows;
  }

  /** Runs a command of transaction control and answers the tag that the server gave it. */
  async control(command: 'begin' | 'commit' | 'rollback'): Promise<string> {
    const result = await this.#query({ name: `holdfast_${command}`, text: command }, []);
    return result.command;
  }

  #query(statement: Statement, values: readonly Value[]): Promise<QueryArrayResult<unknown[]>> {
    this.#cork();
    const { text } = statement;
    const config = { text, values: values.map(encoded), rowMode: 'array' as const };
    return this.#client.query<unknown[]>(this.#named ? { ...config, name: statement.name } : config);
  }

  #cork(): void {
    if (this.#corked) return;
    this.#corked = true;
    const { stream } = this.#client.connection;
    stream.cork();
    process.nextTick(() => {
      this.#corked = false;
      stream.uncork();
    });
  }
}

function encoded(value: Value): string | null {
  if (value === null) return null;
  return typeof value === 'object' ? arrayLiteral(value) : String(value);
}
