import { defineConfig } from "vitest/config";
import { firstLoad } from "./build/first-load.ts";
import { iconSprite } from "./build/icon-sprite.ts";

export default defineConfig({
  plugins: [iconSprite(), firstLoad()],
  // A second copy of lit would ask for the Trusted Types policy `lit-html` twice, and the page would not start.
  resolve: { dedupe: ["lit", "lit-html", "lit-element", "@lit/reactive-element"] },
  worker: { format: "es" },
  build: {
    target: "es2022",
    // No inline script (CSP), no `data:` fonts or scripts.
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    sourcemap: false,
    reportCompressedSize: true,
    chunkSizeWarningLimit: 3000,
    // People's pages and the operator's: two entries that share no state.
    rollupOptions: { input: ["index.html", "admin.html"] },
  },
  server: { proxy: { "/api": { target: process.env.HOLDFAST_URL ?? "http://127.0.0.1:8080", ws: true } } },
  test: { include: ["tests/**/*.test.ts"], environment: "node" },
});
