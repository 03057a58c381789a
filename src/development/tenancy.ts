import { setTimeout as delay } from 'node:timers/promises';
import pg from 'pg';
import { waitUntil } from './deadline.ts';
import { parsePidFile, type PidFile } from './pid-file.ts';
import { errorCode } from './system-error.ts';

/** "holdfast" in ASCII: the key of the advisory lock that every process using a server shares. */
const lockKey = '0x686f6c6466617374';
const connectMsMax = 3000;
const queryMsMax = 5000;
/** How long a tenant that was killed may take to be noticed by the server. */
const departureMsMax = 500;

/**
 * One process's use of an embedded server: a connection that holds a shared advisory lock for as long as the process
 * lives. So the server knows, without files that a crash would leave wrong, whether somebody else still uses it.
 * A server that restarts its backends after one crashed forgets its tenants; then the first to leave stops it.
 */
export class Tenancy {
  readonly connection: pg.Client;
  #lost = false;

  private constructor(connection: pg.Client) {
    this.connection = connection;
    connection.on('end', () => (this.#lost = true));
  }

  /**
   * Joins the server that wrote this pid file. A string says why that was not possible now and may be later: it does
   * not answer yet, is about to stop, or another server has the port. A password that is not right throws.
   */
  static async join(server: { readonly url: string; readonly pidFile: PidFile }): Promise<Tenancy | string> {
    const connection = new pg.Client({
      connectionString: server.url,
      connectionTimeoutMillis: connectMsMax,
      query_timeout: queryMsMax,
      keepAlive: true,
      application_name: 'holdfast development',
    });
    // An error between two queries, such as the server's end, shows at the next query; unheard it would end us.
    connection.on('error', () => undefined);
    try {
      await connection.connect();
      const tenancy = new Tenancy(connection);
      const { rows } = await connection.query<{ pid_file: string; joined: boolean }>(
        `select pg_read_file('postmaster.pid') as pid_file, pg_try_advisory_lock_shared(${lockKey}) as joined`,
      );
      const [answer] = rows;
      if (answer?.joined === true && isSame(parsePidFile(answer.pid_file), server.pidFile)) return tenancy;
      await endWithin(connection);
      return answer?.joined === true ? 'another server has its port' : 'it is being stopped by its last user';
    } catch (error) {
      await endWithin(connection);
      // invalid_password, invalid_authorization_specification: waiting would not help.
      if (['28P01', '28000'].includes(errorCode(error) ?? '')) throw error;
      return error instanceof Error ? `${error.message} (${errorCode(error) ?? error.name})` : String(error);
    }
  }

  /**
   * Gives up the use and says whether nobody else has any: then the server is the caller's to stop, and nobody can
   * join it any more. Of several that leave at once, exactly one is the last. A server that does not answer has no users.
   */
  async leave(): Promise<boolean> {
    if (this.#lost) return true;
    try {
      await this.connection.query(`select pg_advisory_unlock_shared(${lockKey})`);
      const alone = await waitUntil(async () => {
        const { rows } = await this.connection.query<{ alone: boolean }>(
          `select pg_try_advisory_lock(${lockKey}) as alone`,
        );
        return rows[0]?.alone === true;
      }, departureMsMax);
      if (!alone) await this.close();
      return alone;
    } catch {
      return true;
    }
  }

  /** Ends the connection, within a bound also when the server does not answer. */
  async close(): Promise<void> {
    await endWithin(this.connection);
  }
}

async function endWithin(connection: pg.Client): Promise<void> {
  await Promise.race([connection.end(), delay(connectMsMax, undefined, { ref: false })]);
}

function isSame(a: PidFile, b: PidFile): boolean {
  return a.processId === b.processId && a.startedAt === b.startedAt;
}
