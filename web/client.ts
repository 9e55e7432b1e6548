/**
 * The page's end of its worker.
 *
 * @module
 */

import type { Event, Order, Questions } from "./protocol.ts";

type EventOf<T> = Extract<Event, { readonly type: T }>;

/** Sends orders and questions, and passes events on. */
export class Client {
  readonly #worker = new Worker(new URL("./worker.js", import.meta.url), { type: "module" });
  readonly #waiting = new Map<number, PromiseWithResolvers<unknown>>();
  readonly #listeners = new Map<string, ((event: never) => void)[]>();
  #asked = 0;

  /** Starts the worker. */
  constructor() {
    this.#worker.addEventListener("message", ({ data }: MessageEvent<Event>) => {
      if (data.type === "answer") this.#waiting.get(data.id)?.resolve(data.value);
      else if (data.type === "refusal") this.#waiting.get(data.id)?.reject(new Error(data.text));
      else for (const listener of this.#listeners.get(data.type) ?? []) listener(data as never);
      if ("id" in data) this.#waiting.delete(data.id);
    });
    this.#worker.addEventListener("error", ({ message }) => {
      const text = `The training stopped: ${
        message || "its worker did not start"
      }. Reload the page`;
      for (const listener of this.#listeners.get("message") ?? []) {
        listener({ type: "message", text, warning: true } as never);
      }
    });
  }

  /** Calls `listener` for each event of a type. */
  on<T extends Event["type"]>(type: T, listener: (event: EventOf<T>) => void): void {
    this.#listeners.set(type, [...this.#listeners.get(type) ?? [], listener]);
  }

  /** Sends an order. */
  order(order: Order): void {
    this.#worker.postMessage(order);
  }

  /** Asks; the promise is rejected with a sentence for people. */
  ask<K extends keyof Questions>(
    type: K,
    ask: Questions[K]["ask"],
  ): Promise<Questions[K]["answer"]> {
    const id = this.#asked++;
    const waiting = Promise.withResolvers<unknown>();
    this.#waiting.set(id, waiting);
    this.#worker.postMessage({ type, id, ...ask });
    return waiting.promise as Promise<Questions[K]["answer"]>;
  }
}
