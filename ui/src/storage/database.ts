/** IndexedDB, small: named stores with `get`, `put`, `remove` and `all`. What is secret is put in only sealed, or as a key that cannot be exported. */

export type StoreName = "pins" | "resume" | "localKeys" | "drafts" | "outbox" | "timings" | "recovery";

const STORES: readonly StoreName[] = ["pins", "resume", "localKeys", "drafts", "outbox", "timings", "recovery"];

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open("holdfast", 2);
    request.onupgradeneeded = () => {
      for (const name of STORES) if (!request.result.objectStoreNames.contains(name)) request.result.createObjectStore(name);
    };
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error("this browser does not allow storage"));
  });
  return opened;
}

async function run<T>(name: StoreName, mode: IDBTransactionMode, work: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  // Drafts are written with every key, and need not survive a loss of power.
  const transaction = (await database()).transaction(name, mode, { durability: name === "drafts" ? "relaxed" : "strict" });
  const request = work(transaction.objectStore(name));
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = transaction.onerror = () => reject(transaction.error ?? request.error ?? new Error("storage failed"));
  });
}

export function get<T>(name: StoreName, key: string): Promise<T | undefined> {
  return run(name, "readonly", (store) => store.get(key) as IDBRequest<T | undefined>);
}

export async function put(name: StoreName, key: string, value: unknown): Promise<void> {
  await run(name, "readwrite", (store) => store.put(value, key));
}

export async function remove(name: StoreName, key: string): Promise<void> {
  await run(name, "readwrite", (store) => store.delete(key));
}

/** All entries whose key starts with the prefix. */
export async function all<T>(name: StoreName, prefix: string): Promise<{ key: string; value: T }[]> {
  const range = IDBKeyRange.bound(prefix, `${prefix}\uffff`);
  const [keys, values] = await Promise.all([
    run(name, "readonly", (store) => store.getAllKeys(range)),
    run(name, "readonly", (store) => store.getAll(range) as IDBRequest<T[]>),
  ]);
  return keys.flatMap((key, at) => (values[at] === undefined ? [] : [{ key: String(key), value: values[at] as T }]));
}
