import manifest from '../package.json' with { type: 'json' };

/** The version of this package, as it is released. */
export const version: string = manifest.version;
