import { balancerTests } from '../support/balancer.ts';

balancerTests('nginx');
