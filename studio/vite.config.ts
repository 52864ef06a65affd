import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// `autogen studio --no-browser` on port 8000 answers what the page asks while it is worked on.
export default defineConfig({
  plugins: [react()],
  base: "/",
  build: { target: "es2022", sourcemap: false, modulePreload: { polyfill: false }, assetsInlineLimit: 0 },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});
