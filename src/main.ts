#!/usr/bin/env node
/**
 * Where every command begins: on a Node that is too old it says so in one sentence and ends with 1, on any other it
 * loads the command line. It imports nothing statically, because imports are loaded before the first line is run, and
 * what is behind them does not load on an old Node.
 */
const neededMajor = 24;

if (Number(process.versions.node.split('.')[0]) >= neededMajor) {
  // No top-level await: Node 12 would not get past it.
  import('./command-line.ts').catch((error: unknown) => {
    process.stderr.write(`holdfast: ${String(error)}\n`);
    process.exitCode = 1;
  });
} else {
  process.stderr.write(
    `holdfast needs Node ${neededMajor} or later, and this is Node ${process.versions.node} (${process.execPath}): ` +
      `get one with "npm install node@${neededMajor}" and put its node_modules/.bin first in PATH; ` +
      'DEPLOYMENT.md says how, under "From the package".\n',
  );
  process.exitCode = 1;
}
