/** The page's worker for OPAQUE, run as it is on the test's own thread: Node has no workers of the browser's kind. Put in the place of `trusted-urls` with `vi.mock`. */
interface WorkersGlobals {
  addEventListener(type: string, handler: (event: MessageEvent) => void): void;
  postMessage(data: unknown): void;
}

const handlers: ((event: MessageEvent) => void)[] = [];
let answer: (data: unknown) => void = () => undefined;

const globals = globalThis as unknown as WorkersGlobals;
const { addEventListener } = globals;
globals.addEventListener = (_type, handler) => handlers.push(handler);
globals.postMessage = (data) => answer(data);
await import("../src/channel/opaque.worker");
globals.addEventListener = addEventListener;

class WorkerHere extends EventTarget {
  /** One at a time: each attempt waits for its answer. */
  postMessage(data: unknown): void {
    answer = (message) => this.dispatchEvent(Object.assign(new Event("message"), { data: message }));
    for (const handler of handlers) handler({ data } as MessageEvent);
  }

  terminate(): void {
    // Its memory goes with the test's.
  }
}

export function opaqueWorker(): Worker {
  return new WorkerHere() as unknown as Worker;
}
