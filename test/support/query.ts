import pg from 'pg';

/** One statement on a connection of its own. */
export async function query(
  url: string,
  text: string,
  values: readonly unknown[] = [],
): Promise<pg.QueryResult<Record<string, unknown>>> {
  const connection = new pg.Client({
    connectionString: url,
    connectionTimeoutMillis: 10_000,
    query_timeout: 30_000,
  });
  // A connection that is cut fails its query; the event that follows would, unheard, end the process.
  connection.on('error', () => undefined);
  await connection.connect();
  try {
    return await connection.query<Record<string, unknown>>(text, [...values]);
  } finally {
    await connection.end();
  }
}

/** The same server, another database. */
export function databaseUrl(maintenanceUrl: string, name: string): string {
  const url = new URL(maintenanceUrl);
  url.pathname = `/${encodeURIComponent(name)}`;
  return url.href;
}
