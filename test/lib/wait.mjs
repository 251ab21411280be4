// Tests wait for conditions, never for a time to pass. Whatever is waited for has a name, so that a
// test that waits in vain says what did not happen.
import { setTimeout as pause } from 'node:timers/promises';

/**
 * Polls `condition` (may be async) until it returns something truthy, and returns that. An error
 * that it throws counts as "not yet", unless `final` says of it that waiting is pointless.
 */
export async function until(condition, what, { timeout = 10_000, every = 10, final = () => false } = {}) {
  const end = Date.now() + timeout;
  let last;
  for (;;) {
    try {
      const value = await condition();
      if (value) return value;
      last = undefined;
    } catch (error) {
      if (final(error)) throw error;
      last = error;
    }
    if (Date.now() >= end) {
      throw new Error(`waited ${timeout} ms in vain for ${what}`, last ? { cause: last } : undefined);
    }
    await pause(every);
  }
}

/** The promise's value, or an error that names what did not come in time. */
export async function within(promise, timeout, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${timeout} ms in vain for ${what}`)), timeout);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** True when `condition` stayed falsy for `time`: for things that must NOT happen. Keep it short. */
export async function never(condition, what, time = 200) {
  const end = Date.now() + time;
  while (Date.now() < end) {
    if (await condition()) throw new Error(`must not have happened: ${what}`);
    await pause(10);
  }
}
