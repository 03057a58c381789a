import { known, refused, type Authenticate, type Caller } from './caller.ts';
import type { KeyRing } from './key-ring.ts';
import type { PlayerTokens } from './player-tokens.ts';

export interface AuthenticationDeps {
  readonly admin: (token: string) => Caller | undefined;
  readonly keyRing: Pick<KeyRing, 'find'>;
  /** Null: players have no tokens here. */
  readonly playerTokens: Pick<PlayerTokens, 'find'> | null;
}

/** Three parts with dots between them: nothing else that is taken looks so. */
const jsonWebToken = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*$/;

/** Knows the operator's key, API keys, and the tokens of players. */
export function authentication({ admin, keyRing, playerTokens }: AuthenticationDeps): Authenticate {
  return async (token) => {
    const caller = admin(token) ?? (await keyRing.find(token));
    if (caller !== undefined) return known(caller);
    if (playerTokens !== null && jsonWebToken.test(token)) return await playerTokens.find(token);
    return refused('the credential is not valid');
  };
}
