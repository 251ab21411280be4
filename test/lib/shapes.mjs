// What answers look like on every surface: ids, times, and the one error body.
import assert from 'node:assert/strict';

export const ID = /^[0-9a-f]{24}$/;
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

/**
 * The answer is this refusal, in exactly the shape that all surfaces share. `message`: a text or an
 * expression; `fields`: those that were at fault, in any order (default: none).
 */
export function fails(reply, status, message, fields = []) {
  assert.equal(reply.status, status, `${reply.status} ${reply.text}`);
  const { errors, ...rest } = reply.json ?? JSON.parse(reply.text);
  assert.deepEqual(rest, { success: false, status: false, errorCode: status, message: rest.message });
  if (message instanceof RegExp) assert.match(rest.message, message);
  else if (message !== undefined) assert.equal(rest.message, message);
  else assert.ok(rest.message.length > 0, 'a refusal says why');
  assert.deepEqual(errors.map((error) => error.field).sort(), [...fields].sort());
  for (const error of errors) {
    assert.deepEqual(Object.keys(error).sort(), ['field', 'message']);
    assert.ok(error.message.length > 0, 'a fault says what is wrong');
  }
}
