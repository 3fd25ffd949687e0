/** Fails the build when the first page would load too much, or when two copies of lit would both ask for their Trusted Types policy. */
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Script and style of the first load, compressed. */
const FIRST_LOAD_BYTES = 120 * 1024;

export function firstLoad(): Plugin {
  return {
    name: "holdfast-first-load",
    apply: "build",
    generateBundle(_options, bundle) {
      let bytes = 0;
      let policies = 0;
      const entries = Object.values(bundle).flatMap((file) => (file.type === "chunk" && file.isEntry ? [file] : []));
      const first = new Set(entries.flatMap((entry) => [entry.fileName, ...entry.imports]));
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") policies += file.code.split(/createPolicy\(["'`]lit-html["'`]/).length - 1;
        if (file.type === "chunk" && first.has(file.fileName)) bytes += gzipSync(file.code).length;
        if (file.type === "asset" && file.fileName.endsWith(".css")) bytes += gzipSync(file.source).length;
      }
      if (policies !== 1) this.error(`${policies} copies of lit are in the build: the second one is refused by Trusted Types`);
      if (bytes > FIRST_LOAD_BYTES) this.error(`the first load has ${bytes} bytes compressed, more than ${FIRST_LOAD_BYTES}`);
    },
  };
}
