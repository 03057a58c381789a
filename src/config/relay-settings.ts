import { parseNatsUrl, type NatsAddress } from './nats-address.ts';
import { duration, integer, optional, SettingFault, text } from './setting.ts';

/** The relay of operations to NATS JetStream. */
export const relaySettings = {
  NATS_URL: optional(
    'nats:// or tls:// URLs, separated by commas',
    {
      description:
        'The servers of the NATS cluster that every operation is relayed to, with JetStream. Without it nothing is relayed.',
      secret: true,
    },
    natsAddress,
  ),
  NATS_CREDS_FILE: optional(
    'file',
    {
      description:
        'Credentials for NATS, as `nsc` writes them (a JWT and a seed), in place of a user or a token in NATS_URL.',
    },
    (value) => value,
  ),
  NATS_STREAM: text({
    description: 'The stream of the operations. It is created where there is none, and must be theirs alone.',
    pattern: /^[A-Za-z0-9_-]{1,64}$/,
    expects: 'up to 64 letters, digits, _ and -',
    default: 'HOLDFAST',
  }),
  NATS_SUBJECT_PREFIX: text({
    description: 'What subjects begin with: an operation goes to `<prefix>.<type>`.',
    pattern: /^(?=.{1,128}$)[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/,
    expects: 'words of letters, digits, _ and -, with dots between them',
    default: 'holdfast.operations',
  }),
  NATS_DUPLICATE_WINDOW: duration({
    description:
      'How long a stream that is created remembers the ids of operations, and drops one that comes again.',
    default: '2m',
    minMs: 1000,
  }),
  NATS_MAX_AGE: duration({
    description: 'How long a stream that is created keeps an operation; 0s: for ever.',
    default: '7d',
    maxMs: 10 * 365 * 86_400_000,
  }),
  NATS_IN_FLIGHT_MAX: integer({
    description: 'Operations that are on their way to NATS at once, at most.',
    min: 1,
    max: 4096,
    default: '256',
  }),
  NATS_TIMEOUT: duration({
    description: 'How long NATS may take to answer before the connection is given up and made anew.',
    default: '3s',
    minMs: 100,
    maxMs: 60_000,
  }),
};

function natsAddress(value: string): NatsAddress {
  const address = parseNatsUrl(value);
  if (address !== null) return address;
  throw new SettingFault(
    'must list servers such as nats://user:password@host:4222, separated by commas and with the same credentials',
  );
}
