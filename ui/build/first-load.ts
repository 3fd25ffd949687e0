/** Fails the build when a first page would load too much, or when two copies of lit would both ask for their Trusted Types policy. */
import { gzipSync } from "node:zlib";
import type { Plugin } from "vite";

/** Script and style of the first load of one entry, compressed. */
const FIRST_LOAD_BYTES = 120 * 1024;

interface WithStyles {
  viteMetadata?: { importedCss: Set<string> };
}

export function firstLoad(): Plugin {
  return {
    name: "holdfast-first-load",
    apply: "build",
    // After Vite has written down which styles belong to which chunk.
    enforce: "post",
    generateBundle(_options, bundle) {
      let policies = 0;
      for (const file of Object.values(bundle)) {
        if (file.type === "chunk") policies += file.code.split(/createPolicy\(["'`]lit-html["'`]/).length - 1;
      }
      if (policies !== 1) this.error(`${policies} copies of lit are in the build: the second one is refused by Trusted Types`);
      for (const entry of Object.values(bundle)) {
        if (entry.type !== "chunk" || !entry.isEntry) continue;
        const first = new Set([entry.fileName]);
        const styles = new Set<string>();
        // A set that grows while it is walked is walked to its end.
        for (const name of first) {
          const file = bundle[name];
          if (file?.type !== "chunk") continue;
          file.imports.forEach((each) => first.add(each));
          (file as WithStyles).viteMetadata?.importedCss.forEach((each) => styles.add(each));
        }
        let bytes = 0;
        for (const name of [...first, ...styles]) {
          const file = bundle[name];
          if (file) bytes += gzipSync(file.type === "chunk" ? file.code : file.source).length;
        }
        if (bytes > FIRST_LOAD_BYTES) this.error(`the first load of ${entry.name} has ${bytes} bytes compressed, more than ${FIRST_LOAD_BYTES}`);
      }
    },
  };
}
