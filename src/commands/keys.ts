import { readConfigWithoutService } from '../config.ts';
import { timestamp, timestampOrNull } from '../domain/time.ts';
import type { Role } from '../domain/role.ts';
import { isIdentifier } from '../domain/identifier.ts';
import { newOperationId } from '../execution/operation-id.ts';
import { KeyKeeper } from '../identity/key-keeper.ts';
import { postgresSettings } from '../lifecycle/from-config.ts';
import type { ApiKey } from '../repository/api-keys.ts';
import { PostgresRepository } from '../repository/postgres/repository.ts';
import { version } from '../version.ts';

/** Keys that are read at once. */
const pageRows = 200;
const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/**
 * Makes a key and prints it, alone, to standard output, so that a script can take it from there; what it is goes to
 * standard error. It is not shown again. Answers the exit code.
 */
export async function createKey(request: { name: string; role: Role; account?: string }): Promise<number> {
  const { name, role, account = null } = request;
  for (const [option, value] of Object.entries({ name, account })) {
    if (value !== null && !isIdentifier(value)) {
      tell(`--${option}: ${JSON.stringify(value)} is not an identifier, such as shop-frontend`);
      return 1;
    }
  }
  return await withKeys(async (keys) => {
    const outcome = await keys.create({ name, role, account });
    if (outcome.kind === 'refused') {
      tell(`--${outcome.fault.member} ${outcome.fault.message}`);
      return 1;
    }
    tell(`${outcome.key.id}: a key for ${name} with the role ${role}. It is not shown again.`);
    process.stdout.write(`${outcome.token}\n`);
    return 0;
  });
}

/** Prints every key that is valid, newest first, and never a secret. */
export async function listKeys({ json }: { json: boolean }): Promise<number> {
  return await withKeys(async (keys) => {
    const all: ApiKey[] = [];
    for (let page: readonly ApiKey[] | undefined; page === undefined || page.length === pageRows;) {
      page = await keys.list({ after: all.at(-1)?.id ?? null, limit: pageRows });
      all.push(...page);
    }
    const shown = all.map(({ createdAtMs, lastUsedAtMs, ...key }) => {
      const lastUsedAt = timestampOrNull(lastUsedAtMs);
      return { ...key, createdAt: timestamp(createdAtMs), lastUsedAt };
    });
    if (json) process.stdout.write(`${JSON.stringify(shown, null, 2)}\n`);
    else {
      for (const { id, name, role, account, createdAt, lastUsedAt } of shown) {
        const owner = account === null ? '' : ` of ${account}`;
        process.stdout.write(
          `${id}  ${name}  ${role}${owner}  made ${createdAt}  used ${lastUsedAt ?? 'never'}\n`,
        );
      }
    }
    return 0;
  });
}

/** Revokes a key. When it ends with 0, no replica takes the key any more. */
export async function revokeKey(id: string): Promise<number> {
  return await withKeys(async (keys) => {
    const key = uuid.test(id) ? await keys.revoke(id.toLowerCase()) : undefined;
    tell(
      key === undefined
        ? `there is no key ${id}; \`holdfast keys list\` shows them`
        : `${id}: the key of ${key.name} was revoked`,
    );
    return key === undefined ? 1 : 0;
  });
}

async function withKeys(work: (keys: KeyKeeper) => Promise<number>): Promise<number> {
  const config = readConfigWithoutService(undefined);
  const repository = PostgresRepository.open(postgresSettings(config, version), () => undefined);
  try {
    await repository.checkServer({ info: () => undefined, warn: () => undefined });
    return await work(new KeyKeeper({ keys: repository.apiKeys, newId: newOperationId }));
  } finally {
    await repository.close();
  }
}

function tell(line: string): void {
  process.stderr.write(`${line}\n`);
}
