/** The browser's database is not there in Node; what would be kept in it is. Put in its place with `vi.mock`. */
export const stored = new Map<string, unknown>();

export function get(store: string, key: string): Promise<unknown> {
  return Promise.resolve(stored.get(`${store}/${key}`));
}

/** Stores into which nothing can be put any more. */
export const full = new Set<string>();

export function put(store: string, key: string, value: unknown): Promise<void> {
  if (full.has(store)) return Promise.reject(new Error("storage is full"));
  stored.set(`${store}/${key}`, value);
  return Promise.resolve();
}

export function remove(store: string, key: string): Promise<void> {
  stored.delete(`${store}/${key}`);
  return Promise.resolve();
}

export function all(store: string, prefix: string): Promise<{ key: string; value: unknown }[]> {
  const found = [...stored].filter(([key]) => key.startsWith(`${store}/${prefix}`));
  return Promise.resolve(found.map(([key, value]) => ({ key: key.slice(store.length + 1), value })));
}
