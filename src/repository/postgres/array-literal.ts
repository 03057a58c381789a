/**
 * A PostgreSQL array literal. Our own, because the values of a whole batch go through it: an element is escaped only
 * if it needs it, and it can't fail. That matters in a pipeline: `pg` gives up a statement whose values it can't
 * encode, and the commit behind it would keep the others.
 */
export function arrayLiteral(values: readonly (string | number | boolean | null)[]): string {
  let literal = '{';
  for (const value of values) {
    if (literal.length > 1) literal += ',';
    if (value === null) literal += 'NULL';
    else if (typeof value === 'string')
      literal += `"${needsEscape.test(value) ? value.replace(escaped, '\\$&') : value}"`;
    else literal += String(value);
  }
  return literal + '}';
}

const needsEscape = /["\\]/;
const escaped = /["\\]/g;
