import * as core from './0001-core.ts';
import * as apiKeys from './0002-api-keys.ts';
import * as consumers from './0003-consumers.ts';
import * as webhooks from './0004-webhooks.ts';
import * as rewardRules from './0005-reward-rules.ts';
import * as pruning from './0006-pruning.ts';
import type { Migration } from './migration.ts';

/**
 * Every migration by name, in the order in which it is applied: the order of the names, byte by byte. One that was
 * released is never changed, renamed or removed; what follows from it is a new one.
 */
export const migrations: Readonly<Record<string, Migration>> = {
  '0001_core': core,
  '0002_api_keys': apiKeys,
  '0003_consumers': consumers,
  '0004_webhooks': webhooks,
  '0005_reward_rules': rewardRules,
  '0006_pruning': pruning,
};
