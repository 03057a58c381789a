import { readFile } from 'node:fs/promises';
import type { Deployment } from 'kubernetes-types/apps/v1.d.ts';
import type { HorizontalPodAutoscaler } from 'kubernetes-types/autoscaling/v2.d.ts';
import type { Job } from 'kubernetes-types/batch/v1.d.ts';
import type { ConfigMap, Container, PodSpec, Probe, Secret, Service } from 'kubernetes-types/core/v1.d.ts';
import type { NetworkPolicy } from 'kubernetes-types/networking/v1.d.ts';
import type { PodDisruptionBudget } from 'kubernetes-types/policy/v1.d.ts';
import { beforeAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import type { Setting } from '../../src/config/setting.ts';
import { settings, type Config } from '../../src/config/settings.ts';
import { serveReplica } from '../support/served-replicas.ts';
import { typeFaults } from './api-types.ts';
import { manifestNames, readManifest, type Manifest } from './manifest.ts';

/** PostgreSQL's default, without those that are kept for superusers. */
const databaseConnectionsMax = 100 - 3;

let deployment: Deployment;
let pod: PodSpec;
let container: Container;
let migration: Container;
let autoscaler: HorizontalPodAutoscaler;
let configMap: ConfigMap;
let config: Config;

beforeAll(async () => {
  deployment = await readManifest('deployment.yaml');
  autoscaler = await readManifest('horizontal-pod-autoscaler.yaml');
  configMap = await readManifest('config-map.yaml');
  const job: Job = await readManifest('migration-job.yaml');
  pod = given(deployment.spec?.template.spec);
  container = given(pod.containers[0]);
  migration = given(job.spec?.template.spec?.containers[0]);
  config = readConfig({
    ...configMap.data,
    DATABASE_URL: 'postgres://db/holdfast',
    ADMIN_API_KEY: '0123456789abcdef0123456789abcdef',
  });
});

describe('the Kubernetes API', () => {
  test('knows every field of every manifest, and misses none', async () => {
    const names = await manifestNames();
    expect(names.length).toBeGreaterThan(7);
    const manifests = await Promise.all(
      names.map(async (name) => [name, await readManifest<Manifest>(name)] as const),
    );
    expect(typeFaults(Object.fromEntries(manifests))).toEqual([]);
  });

  test('is asked in earnest', () => {
    const { apiVersion = '', kind = '', spec } = deployment;
    const faulty: Record<string, Manifest> = {
      unknown: {
        ...deployment,
        apiVersion,
        kind,
        spec: withPod({ ...pod, containers: [misspelt()] }),
      } as Manifest,
      missing: { apiVersion, kind, spec: { template: spec?.template } } as Manifest,
      wrong: { ...deployment, apiVersion, kind, spec: { ...spec, minReadySeconds: 'five' } } as Manifest,
    };
    const faults = typeFaults(faulty);
    expect(faults).toHaveLength(3);
    expect(faults.join('\n')).toMatch(/unknown: .*readinesProbe/);
    expect(faults.join('\n')).toMatch(/missing: .*selector/);
    expect(faults.join('\n')).toMatch(/wrong: .*string/);
  });
});

describe('a stop', () => {
  test('has the time that it may take before the pod is killed', () => {
    const preStopMs = given(container.lifecycle?.preStop?.sleep).seconds * 1000;
    expect(preStopMs).toBeGreaterThan(0);
    const endsMs = given(pod.terminationGracePeriodSeconds) * 1000;
    // Not to the second: the kubelet and the process take their time as well.
    expect(endsMs).toBeGreaterThanOrEqual(preStopMs + config.SHUTDOWN_TIMEOUT + 5000);
  });

  test('lasts longer than it takes to be noticed', () => {
    const { periodSeconds = 10, failureThreshold = 3 } = given(container.readinessProbe);
    expect(config.SHUTDOWN_GRACE).toBeGreaterThan(periodSeconds * failureThreshold * 1000);
  });
});

test('no disruption takes more replicas than may be missing, and a rollout takes none', async () => {
  const budget = await readManifest<PodDisruptionBudget>('pod-disruption-budget.yaml');
  const minReplicas = given(autoscaler.spec?.minReplicas);
  expect(given(budget.spec?.minAvailable)).toBeLessThan(minReplicas);
  expect(given(budget.spec?.minAvailable)).toBeGreaterThan(0);
  expect(deployment.spec?.strategy?.rollingUpdate).toEqual({ maxUnavailable: 0, maxSurge: 1 });
  expect(autoscaler.spec?.scaleTargetRef).toEqual({
    apiVersion: deployment.apiVersion,
    kind: deployment.kind,
    name: deployment.metadata?.name,
  });
  // Whoever applies it again would take back what the autoscaler has done.
  expect(deployment.spec?.replicas).toBeUndefined();
});

test('as many replicas as there may be have room in PostgreSQL', () => {
  const replicas =
    given(autoscaler.spec?.maxReplicas) + Number(deployment.spec?.strategy?.rollingUpdate?.maxSurge);
  expect(replicas * config.DB_MAX_CONNS).toBeLessThan(databaseConnectionsMax);
});

describe('settings', () => {
  test('are settings of the service, the secret ones in the secret', async () => {
    const all: Readonly<Record<string, Setting<unknown>>> = settings;
    const secret = await readManifest<Secret>('secret.example.yaml');
    for (const name of Object.keys(given(configMap.data))) expect(all[name]?.secret, name).toBe(false);
    for (const [name, value] of Object.entries(given(secret.stringData))) {
      expect(all[name]?.secret, name).toBe(true);
      expect(value, 'no secret in the repository').toBe('');
    }
    for (const { envFrom } of [container, migration])
      expect(envFrom).toEqual([
        { configMapRef: { name: configMap.metadata?.name } },
        { secretRef: { name: secret.metadata?.name } },
      ]);
  });

  test('let others reach it, where they look for it', async () => {
    expect(config).toMatchObject({ NODE_ENV: 'production', HOST: '0.0.0.0' });
    const [port] = given(container.ports);
    expect(port).toEqual({ name: 'http', containerPort: config.PORT });
    const service = await readManifest<Service>('service.yaml');
    expect(service.spec?.ports?.map(({ targetPort }) => targetPort)).toEqual(['http']);
    const policy = await readManifest<NetworkPolicy>('network-policy.yaml');
    expect(policy.spec?.ingress?.flatMap(({ ports = [] }) => ports.map((open) => open.port))).toEqual([
      'http',
    ]);
  });
});

test('each probe asks for something that a replica which serves answers with 200', async () => {
  const probes = [container.startupProbe, container.livenessProbe, container.readinessProbe].map(given);
  const paths = probes.map((probe: Probe) => given(probe.httpGet?.path));
  expect(paths).toEqual(['/startupz', '/livez', '/readyz']);
  expect(probes.map(({ httpGet }) => httpGet?.port)).toEqual(['http', 'http', 'http']);
  const { api } = await serveReplica();
  for (const path of paths) expect(await api.get(path), path).toMatchObject({ status: 200 });
});

test('what selects the servers selects neither nothing nor the migrations', async () => {
  const labels = deployment.spec?.template.metadata?.labels;
  const budget = await readManifest<PodDisruptionBudget>('pod-disruption-budget.yaml');
  const service = await readManifest<Service>('service.yaml');
  const job = await readManifest<Job>('migration-job.yaml');
  expect(deployment.spec?.selector.matchLabels).toEqual(labels);
  expect(budget.spec?.selector?.matchLabels).toEqual(labels);
  expect(service.spec?.selector).toEqual(labels);
  expect(pod.topologySpreadConstraints?.map(({ labelSelector }) => labelSelector?.matchLabels)).toEqual([
    labels,
  ]);
  expect(job.spec?.template.metadata?.labels).not.toMatchObject(given(labels));
});

test('neither container may be root, write files, or become more than it is', async () => {
  const job = await readManifest<Job>('migration-job.yaml');
  for (const { spec } of [given(deployment.spec).template, given(job.spec).template]) {
    expect(spec).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    });
    for (const { securityContext } of given(spec?.containers))
      expect(securityContext).toEqual({
        allowPrivilegeEscalation: false,
        readOnlyRootFilesystem: true,
        capabilities: { drop: ['ALL'] },
      });
  }
});

test('both containers are of this version, and every manifest is applied by someone', async () => {
  const { version } = JSON.parse(await readFile(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string;
  };
  const { resources, images } = await readManifest<Kustomization>('kustomization.yaml');
  expect(images).toEqual([{ name: container.image, newTag: version }]);
  expect(migration.image).toBe(`${String(container.image)}:${version}`);
  expect([...resources, 'migration-job.yaml', 'secret.example.yaml'].sort()).toEqual(await manifestNames());
});

interface Kustomization {
  readonly resources: readonly string[];
  readonly images: readonly { readonly name: string; readonly newTag: string }[];
}

function given<Value>(value: Value | undefined): Value {
  if (value === undefined) throw new Error('it should be there');
  return value;
}

function withPod(spec: PodSpec): object {
  return { ...deployment.spec, template: { ...deployment.spec?.template, spec } };
}

function misspelt(): Container {
  const { readinessProbe: readinesProbe, ...rest } = container;
  return { ...rest, readinesProbe } as Container;
}
