// As much of JSON Schema as our documents use, and stricter in one thing: a member that the schema does not name is a
// fault, because the document would be silent about it.
import assert from 'node:assert/strict';

function typeOf(value) {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}

/** Fails unless the value is what the schema says; `where` names it in messages. */
export function fits(schema, value, where) {
  const type = typeOf(value);
  const types = [schema.type ?? type].flat();
  assert.ok(types.includes(type) || (type === 'integer' && types.includes('number')),
    `${where} is ${JSON.stringify(value)}, the document says ${types.join(' or ')}`);
  if ('const' in schema) assert.deepEqual(value, schema.const, where);
  if (schema.enum) assert.ok(schema.enum.includes(value), `${where} is ${value}, the document says ${schema.enum}`);
  if (type === 'array' && schema.items) value.forEach((item, n) => fits(schema.items, item, `${where}[${n}]`));
  if (type !== 'object' || !schema.properties) return;
  for (const name of schema.required ?? []) assert.ok(name in value, `${where} has no ${name}`);
  for (const [name, member] of Object.entries(value)) {
    assert.ok(schema.properties[name], `${where}.${name} is not in the document`);
    fits(schema.properties[name], member, `${where}.${name}`);
  }
}
