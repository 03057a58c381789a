import { balancerTests } from '../support/balancer.ts';

// It is told by /readyz, before the replica closes its port.
balancerTests('haproxy', { lostByAStop: 0 });
