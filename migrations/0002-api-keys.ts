import { sql, type Kysely } from 'kysely';

/** Credentials of the services and people who call: what is stored can verify a key, and can't be used as one. */
export async function up(db: Kysely<unknown>): Promise<void> {
  for (const statement of statements) await sql.raw(statement).execute(db);
}

const statements = [
  `create table api_keys (
    id uuid primary key,
    name text collate "C" not null,
    role text not null check (role in ('admin', 'service', 'reader', 'player')),
    account text collate "C" check ((account is null) = (role <> 'player')),
    prefix text collate "C" not null unique,
    digest bytea not null check (length(digest) = 32),
    created_at timestamptz(3) not null default now(),
    last_used_at timestamptz(3)
  )`,
  `comment on table api_keys is 'One row a key that is valid: a revoked one is deleted. prefix: the part of the key that it is found by. digest: SHA-256 of the whole key. Keys being rotated share a name.'`,
];
