import { announcedPosition, lastPosition } from './horizon.ts';
import { statement } from './statements.ts';

/** The statements of a consumer's turn, in the order in which they are sent. */

/** $1 consumer, $2 from the beginning. */
export const ensureCursor = statement(
  'ensure_cursor',
  `insert into consumers (name, position)
   select $1, case when $2::boolean then 0 else (select last_value from operation_position) end
   on conflict do nothing`,
);

/**
 * A turn's commit does not wait for the disk, nor for a standby, and holds up nobody's who does. What a crash takes of it, it takes
 * whole, with the cursor's move: the turn is repeated, and repeating it is what everything in it is made for.
 */
export const notSynchronously = statement(
  'not_synchronously',
  `select set_config('synchronous_commit', 'off', true)`,
);

/** $1 consumer. */
export const lockCursor = statement(
  'lock_cursor',
  `select position, one_by_one_until, attempts, error,
     (extract(epoch from clock_timestamp() - failed_at) * 1000)::float8 as failed_ms_ago
   from consumers where name = $1 for update skip locked`,
);

const operation = `operations.position, id, type, home, (extract(epoch from at) * 1000)::float8 as at_ms, receipt::text`;

/** $1 consumer. Lateral with a limit: nothing but index probes is left to the planner. */
export const operationToRetry = statement(
  'operation_to_retry',
  `select ${operation}
   from (select position from parked_operations where consumer = $1 and retry order by position limit 1) as parked,
     lateral (select * from operations where operations.position = parked.position limit 1) as operations`,
);

export const lastGiven = statement('last_position', lastPosition);
export const lowestAnnounced = statement('announced_position', announcedPosition);

/** $1 after, $2 up to, $3 at most so many. */
export const readPage = statement(
  'read_page',
  `select ${operation} from operations where position > $1 and position <= $2 order by position limit $3`,
);

/** $1 consumer, $2 positions, $3 operations, $4 reasons. */
export const park = statement(
  'park',
  `insert into parked_operations (consumer, position, operation, reason)
   select $1, position, operation, reason
   from unnest($2::bigint[], $3::uuid[], $4::text[]) as new (position, operation, reason)
   on conflict (consumer, position) do update set reason = excluded.reason, retry = false`,
);

/**
 * $1 endpoints, $2 positions, $3 operations. For those endpoints that are still there, and that can't be deleted until
 * this is kept: then whoever deletes their deliveries finds these as well.
 */
export const deliver = statement(
  'deliver',
  `insert into webhook_deliveries (webhook, position, operation)
   select webhook, position, operation
   from unnest($1::uuid[], $2::bigint[], $3::uuid[]) as new (webhook, position, operation)
   where webhook in (
     select id from webhooks where id = any ($1::uuid[]) and disabled_at is null order by id for key share)
   on conflict do nothing`,
);

/** $1 consumer, $2 position. */
export const unpark = statement(
  'unpark',
  `delete from parked_operations where consumer = $1 and position = $2`,
);

/** $1 consumer, $2 position, $3 owner. What had gone wrong before it is over. */
export const moveCursor = statement(
  'move_cursor',
  `update consumers
   set position = $2, owner = $3, moved_at = clock_timestamp(), attempts = 0, error = null, failed_at = null
   where name = $1`,
);

/** $1 consumer, $2 position of the turn, $3 one by one until, $4 attempts, $5 error. Waits for nobody's turn. */
export const noteFailure = statement(
  'note_failure',
  `update consumers
   set one_by_one_until = $3, attempts = $4, error = $5, failed_at = clock_timestamp()
   where name = (select name from consumers where name = $1 and position = $2 for update skip locked)`,
);
