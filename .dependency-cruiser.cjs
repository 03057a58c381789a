/** Who may import whom. `docs/architecture.md` says why. */
const onlyFrom = (name, path, allowed, comment) => ({
  name,
  comment,
  severity: 'error',
  from: { path: '^src/', pathNot: allowed },
  to: { path },
});

module.exports = {
  forbidden: [
    {
      name: 'no-circular',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'domain-is-pure',
      comment: 'The domain imports nothing outside itself: no library, no module of Node, no other folder.',
      severity: 'error',
      from: { path: '^src/domain/', pathNot: '\\.test\\.ts$' },
      to: { pathNot: '^src/domain/' },
    },
    {
      name: 'execution-knows-domain-and-the-repository-interface',
      severity: 'error',
      from: { path: '^src/execution/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^(src|migrations|demo|bench|load)/',
        pathNot: '^src/(domain|execution)/|^src/repository/[^/]+\\.ts$',
      },
    },
    {
      name: 'repository-knows-domain',
      severity: 'error',
      from: { path: '^src/repository/', pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|demo|bench|load)/', pathNot: '^src/(domain|repository)/' },
    },
    {
      name: 'http-does-not-know-implementations',
      severity: 'error',
      from: { path: '^src/(http|identity|verification|feed|jobs)/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/repository/(postgres|memory)/|^src/(config|main|command-line|lifecycle|commands|development)',
      },
    },
    {
      name: 'settings-know-nobody',
      severity: 'error',
      from: { path: '^src/config', pathNot: '\\.test\\.ts$' },
      to: { path: '^(src|migrations|demo|bench|load|test)/', pathNot: '^src/config' },
    },
    onlyFrom(
      'only-the-composition-root-knows-postgres',
      '^src/repository/postgres/',
      '^src/(repository|lifecycle|commands|development)/|\\.test\\.ts$',
    ),
    onlyFrom('the-fake-is-for-tests', '^src/repository/memory/', '^src/repository/memory/|\\.test\\.ts$'),
    onlyFrom('migrations-are-run-in-one-place', '^migrations/', '^src/repository/postgres/'),
    {
      name: 'nothing-in-src-needs-what-is-around-it',
      comment: 'Only the command line loads the demonstration.',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/command-line\\.ts$' },
      to: { path: '^(demo|bench|load|test)/', pathNot: '^test/support/' },
    },
    {
      name: 'tests-are-not-imported',
      severity: 'error',
      from: { pathNot: '\\.test\\.ts$|^test/' },
      to: { path: '\\.test\\.ts$|^test/' },
    },
    { name: 'not-to-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    {
      name: 'no-undeclared-packages',
      severity: 'error',
      from: { path: '^(src|demo|load|migrations)/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
};
