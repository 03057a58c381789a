import { backgroundSettings } from './background-settings.ts';
import { databaseSettings } from './database-settings.ts';
import { executionSettings } from './execution-settings.ts';
import { identitySettings } from './identity-settings.ts';
import { jobSettings } from './job-settings.ts';
import { relaySettings } from './relay-settings.ts';
import { serviceSettings } from './service-settings.ts';
import { streamSettings } from './stream-settings.ts';
import { verificationSettings } from './verification-settings.ts';
import { webhookSettings } from './webhook-settings.ts';
import { workerSettings } from './worker-settings.ts';

/** Every setting, in the order in which `holdfast config` and the documents list them. */
export const settings = {
  ...serviceSettings,
  ...identitySettings,
  ...workerSettings,
  ...databaseSettings,
  ...executionSettings,
  ...backgroundSettings,
  ...streamSettings,
  ...jobSettings,
  ...webhookSettings,
  ...relaySettings,
  ...verificationSettings,
};

type Settings = typeof settings;

/** The value of each setting. */
export type Config = { readonly [Name in keyof Settings]: ReturnType<Settings[Name]['parse']> };
