import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { startEmbeddedPostgres } from '../../src/development/embedded-postgres.ts';
import { defaultServerUser, runsAsRoot } from '../../src/development/server-user.ts';
import { createServerFolder, removeServer } from './abandoned-servers.ts';
import { query } from './query.ts';

const run = promisify(execFile);
const log = { info: () => undefined, warn: () => undefined };

/** A PostgreSQL that is certified as `localhost` by an authority of its own. */
export interface TlsPostgres {
  readonly port: number;
  /** As the superuser, who alone may come without TLS. */
  readonly superuserUrl: string;
  /** The certificate of the authority that has certified it, and of another. */
  readonly authority: string;
  readonly stranger: string;
  remove(): Promise<void>;
}

/** Starts one that lets nobody but its superuser in without TLS. */
export async function startTlsPostgres(): Promise<TlsPostgres> {
  const folder = await createServerFolder();
  const certificates = path.join(folder, 'certificates');
  let stop: () => Promise<void> = () => Promise.resolve();
  const remove = async (): Promise<void> => {
    await stop();
    await removeServer(folder, log);
  };
  try {
    await chmod(folder, 0o711);
    await mkdir(certificates);
    await certify(certificates);
    const server = await startEmbeddedPostgres({
      dataFolder: folder,
      durable: false,
      log,
      settings: {
        ssl: 'on',
        ssl_cert_file: path.join(certificates, 'server.pem'),
        ssl_key_file: path.join(certificates, 'server.key'),
        max_connections: '200',
      },
    });
    stop = async () => {
      await server.stop();
    };
    const superuserUrl = server.url('postgres');
    await requireTls(superuserUrl);
    return {
      port: server.port,
      superuserUrl,
      authority: path.join(certificates, 'authority.pem'),
      stranger: path.join(certificates, 'stranger.pem'),
      remove,
    };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function certify(folder: string): Promise<void> {
  const openssl = async (args: string): Promise<void> => {
    await run('openssl', args.split(' '), { cwd: folder });
  };
  const key = 'req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes';
  await openssl(`${key} -x509 -days 2 -subj /CN=authority -keyout authority.key -out authority.pem`);
  await openssl(`${key} -x509 -days 2 -subj /CN=stranger -keyout stranger.key -out stranger.pem`);
  await openssl(`${key} -subj /CN=localhost -keyout server.key -out server.csr`);
  await writeFile(path.join(folder, 'names'), 'subjectAltName=DNS:localhost\n');
  await openssl(
    'x509 -req -days 2 -in server.csr -CA authority.pem -CAkey authority.key -CAcreateserial -extfile names -out server.pem',
  );
  const serverKey = path.join(folder, 'server.key');
  await chmod(serverKey, 0o600);
  if (!runsAsRoot()) return;
  const { uid, gid } = await defaultServerUser();
  await chown(serverKey, uid, gid);
}

/** The server itself writes the file: it may be where only its user can. */
async function requireTls(superuserUrl: string): Promise<void> {
  const { rows } = await query(superuserUrl, `select current_setting('hba_file') as file`);
  await query(
    superuserUrl,
    `copy (values ('host all postgres all scram-sha-256'), ('hostssl all all all scram-sha-256'))
     to '${String(rows[0]?.['file'])}'`,
  );
  await query(superuserUrl, 'select pg_reload_conf()');
}
