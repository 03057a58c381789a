import path from 'node:path';
import ts from 'typescript';
import type { Manifest } from './manifest.ts';

const root = path.resolve(import.meta.dirname, '../..');

/**
 * What the Kubernetes API's types do not allow about these manifests, by name: fields that it does not know, fields that
 * are missing, values of another type. The compiler is asked: each manifest is written as a literal of its type.
 */
export function typeFaults(manifests: Readonly<Record<string, Manifest>>): string[] {
  const sources = new Map(
    Object.entries(manifests).map(([name, manifest]) => [path.join(root, `${name}.ts`), sourceOf(manifest)]),
  );
  const options: ts.CompilerOptions = {
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    types: [],
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
  };
  const host = ts.createCompilerHost(options);
  const getSourceFile = host.getSourceFile.bind(host);
  const fileExists = host.fileExists.bind(host);
  host.fileExists = (file) => sources.has(file) || fileExists(file);
  host.getSourceFile = (file, version, ...rest) => {
    const source = sources.get(file);
    return source === undefined
      ? getSourceFile(file, version, ...rest)
      : ts.createSourceFile(file, source, version);
  };
  const program = ts.createProgram([...sources.keys()], options, host);
  return ts.getPreEmitDiagnostics(program).map(({ file, messageText }) => {
    const name = path.basename(file?.fileName ?? '', '.ts');
    return `${name}: ${ts.flattenDiagnosticMessageText(messageText, ' ')}`;
  });
}

function sourceOf(manifest: Manifest): string {
  const { apiVersion, kind } = manifest;
  // `apps/v1` is in that file, `networking.k8s.io/v1` in `networking/v1`, and `v1` in `core/v1`.
  const [version = '', group = 'core'] = apiVersion.split('/').reverse();
  const [folder = ''] = group.split('.');
  return `import type { ${kind} } from 'kubernetes-types/${folder}/${version}';
    export const manifest: ${kind} = ${JSON.stringify(manifest)};`;
}
