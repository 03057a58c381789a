import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A webhook's endpoint, as a process of its own: takes everything, and tells how many deliveries there were. */
let deliveries = 0;
const server = createServer((request, response) => {
  request.resume();
  request.on('end', () => {
    deliveries += 1;
    response.writeHead(204).end();
  });
});
server.listen(0, '127.0.0.1', () => {
  process.send?.({ port: (server.address() as AddressInfo).port });
});
process.on('message', () => process.send?.({ deliveries }));
process.on('disconnect', () => {
  process.exit();
});
