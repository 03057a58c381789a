import { balancerTests } from '../support/balancer.ts';

// It finds out by refused connections, and one may just have been accepted: at worst, each connection of the load is.
balancerTests('nginx', { lostByAStop: 64 });
