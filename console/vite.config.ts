import react from '@vitejs/plugin-react'
import { defineConfig } from 'vite'

// Chromium 88 is the floor: 360, UOS and Kylin browsers still ship it.
export default defineConfig({
  plugins: [react()],
  // The server puts a fresh nonce in place of this word (console/embed.go).
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    target: 'chrome88',
    cssTarget: 'chrome88',
    sourcemap: false,
    // The Content-Security-Policy allows data: for images alone.
    assetsInlineLimit: (path) => (path.endsWith('.svg') ? undefined : false),
    chunkSizeWarningLimit: 1500,
  },
  server: {
    host: '127.0.0.1',
    proxy: { '/v1': process.env.BASE_URL ?? 'http://127.0.0.1:8790' },
  },
})
