/** An account's version as an entity tag. */
export function etagOf(version: number): string {
  return `"${version}"`;
}

/** Whether an If-None-Match names this version: a list of tags, weak or not, or any at all (RFC 9110, section 13.1.2). */
export function matchesEtag(header: string | undefined, version: number): boolean {
  if (header === undefined) return false;
  return header
    .split(',')
    .some((tag) => tag.trim() === '*' || tag.trim().replace(/^W\//, '') === etagOf(version));
}
