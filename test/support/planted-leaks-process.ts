/** Preloaded into a process: leaves behind one of each kind of what a process may leave behind. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

const server = createServer().listen(0, '127.0.0.1');
await once(server, 'listening');
await once(connect((server.address() as AddressInfo).port, '127.0.0.1').unref(), 'connect');
setInterval(() => undefined, 60_000).unref();
spawn('sleep', ['60'], { stdio: 'ignore' }).unref();
