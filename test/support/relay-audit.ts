import { connect } from '@nats-io/transport-node';
import { expect } from 'vitest';
import { query } from './query.ts';
import { relayedMessages } from './relayed-messages.ts';
import { until } from './until.ts';

/**
 * Fails unless the stream comes to hold exactly the operations of the database: each
 * once, in the order of the feed, word for word; but `except` those.
 */
export async function expectAllRelayed(
  { address, token }: { readonly address: string; readonly token?: string },
  { databaseUrl, except = [] }: { databaseUrl: string; except?: readonly string[] },
): Promise<number> {
  await until('the relay has caught up', async () => await hasCaughtUp(databaseUrl), 30_000);
  const { rows } = await query(
    databaseUrl,
    'select position, id, type, home, receipt::text as receipt from operations order by position',
  );
  const connection = await connect({
    servers: address,
    reconnect: false,
    ...(token === undefined ? {} : { token }),
  });
  try {
    const messages = await relayedMessages(connection, 'HOLDFAST');
    const relayed = messages.map(({ subject, headers, payload }) => ({
      subject,
      id: headers['Nats-Msg-Id'],
      home: headers['Holdfast-Home'],
      position: headers['Holdfast-Position'],
      payload,
    }));
    const expected = rows
      .filter(({ id }) => !except.includes(String(id)))
      .map(({ position, id, type, home, receipt }) => ({
        subject: `holdfast.operations.${String(type)}`,
        id,
        home,
        position: String(position),
        payload: receipt,
      }));
    // Told apart first: a difference of thousands of lines helps nobody.
    expect(relayed.length).toBe(expected.length);
    expect(relayed.findIndex(({ id }, i) => id !== expected[i]?.id)).toBe(-1);
    expect(relayed).toEqual(expected);
    return relayed.length;
  } finally {
    await connection.close();
  }
}

async function hasCaughtUp(databaseUrl: string): Promise<boolean> {
  const { rows } = await query(
    databaseUrl,
    `select 1 from consumers
     where name = 'relay' and position >= (select coalesce(max(position), 0) from operations)`,
  );
  return rows.length === 1;
}
