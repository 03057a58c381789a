import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Check } from './check.ts';
import { run } from './run.ts';

/** Writes what the package brings along, on any platform, as CycloneDX (https://cyclonedx.org). */
export const billOfMaterials: Check = {
  name: 'the bill of materials is written',
  faults: async ({ root, output, name, version }) => {
    const bill = JSON.parse(
      await run(root, [
        'npm',
        'sbom',
        '--sbom-format=cyclonedx',
        '--sbom-type=application',
        '--omit=dev',
        '--package-lock-only',
      ]),
    ) as { metadata: { component: { name: string } } };
    // npm calls it as the folder is called.
    bill.metadata.component.name = name;
    await writeFile(path.join(output, `${name}-${version}.cdx.json`), `${JSON.stringify(bill, null, 2)}\n`);
    return [];
  },
};
