import { afterAll } from 'vitest';
import { NatsServer as Server } from '../../load/nats-server.ts';

/** A broker that is gone after the file. */
export type NatsServer = Server;

const running: Server[] = [];

afterAll(async () => {
  await Promise.all(running.map(async (server) => await server.remove()));
});

export const NatsServer = {
  /** `config` is added to its configuration file. */
  start: async (config = ''): Promise<Server> => {
    const server = await Server.start(config);
    running.push(server);
    return server;
  },
};
