import type { VerificationResult } from '../../src/domain/verification.ts';
import { operationTypes } from '../../src/http/operations/index.ts';
import type { Audit } from '../../src/repository/audit.ts';
import { PostgresRepository } from '../../src/repository/postgres/repository.ts';
import { Verifier, type VerifierSettings, type VerifyOptions } from '../../src/verification/verifier.ts';
import { postgresSettings } from './repositories.ts';

/** Small pages, so that a small ledger has many. */
export const verifierSettings: VerifierSettings = { pageRows: 10, pauseMs: 0, discrepanciesMax: 1000 };

export function verifierOf(audit: Audit, settings: Partial<VerifierSettings> = {}): Verifier {
  return new Verifier({
    audit,
    operationTypes,
    settings: { ...verifierSettings, ...settings },
  });
}

/** Verifies a database once, on connections of its own. */
export async function verifyDatabase(
  url: string,
  settings: Partial<VerifierSettings> = {},
  options: Partial<VerifyOptions> = {},
): Promise<VerificationResult> {
  const repository = PostgresRepository.open(postgresSettings(url, 'verifier'), () => undefined);
  try {
    const signal = new AbortController().signal;
    return await verifierOf(repository.audit, settings).verify({ signal, ...options });
  } finally {
    await repository.close();
  }
}
