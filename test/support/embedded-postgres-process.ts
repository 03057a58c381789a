import { startEmbeddedPostgres } from '../../src/development/embedded-postgres.ts';

/**
 * A process of its own that starts an embedded server on the folder it is given, tells its parent, and keeps using
 * it until it is told to stop, or is killed. Run it with `fork`.
 */
const [dataFolder] = process.argv.slice(2);
if (dataFolder === undefined) throw new Error('usage: embedded-postgres-process.ts <data folder>');
process.on('disconnect', () => process.exit());
const server = await startEmbeddedPostgres({
  dataFolder,
  durable: false,
  log: { info: () => undefined, warn: (_fields, message) => process.stderr.write(`${message}\n`) },
});
process.once('message', () => {
  server.stop().then(
    () => process.exit(0),
    (error: unknown) => {
      process.stderr.write(`${String(error)}\n`);
      process.exit(1);
    },
  );
});
process.send?.({
  processId: server.processId,
  url: server.url('holdfast'),
  adopted: server.adopted,
  dataFolder: server.dataFolder,
});
