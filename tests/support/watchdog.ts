/** Tests that must not hang, nor leave a rejection that nobody hears of. */

import assert from "node:assert/strict";

/** Turns of the event loop in which what was left behind would be heard of. */
const AFTERMATH_MILLISECONDS = 50;

/**
 * Runs `body`; fails with a sentence when it takes longer, or when a promise is rejected that nobody
 * handles.
 */
export async function guarded(body: () => Promise<void>, seconds = 20): Promise<void> {
  const unhandled: unknown[] = [];
  const listen = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    unhandled.push(event.reason);
  };
  globalThis.addEventListener("unhandledrejection", listen);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new assert.AssertionError({ message: `it hangs: not over in ${seconds} s` })),
      1000 * seconds,
    );
  });
  try {
    await Promise.race([body(), late]);
    await new Promise((resolve) => setTimeout(resolve, AFTERMATH_MILLISECONDS));
  } finally {
    clearTimeout(timer);
    globalThis.removeEventListener("unhandledrejection", listen);
  }
  assert.deepEqual(unhandled, [], "rejections that nobody handles");
}
