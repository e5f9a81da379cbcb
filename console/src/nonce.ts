// The nonce of this response. antd and its parts write styles at run time, and the
// Content-Security-Policy admits those alone that carry it.
export const nonce = document.querySelector<HTMLMetaElement>('meta[property=csp-nonce]')?.nonce

// antd hands the nonce to most of its styles but not to the two that measure and
// lock the scrollbar, so every <style> made by a script of this page gets it. Only
// scripts the policy already trusts can call this.
if (nonce) {
  const make = document.createElement
  document.createElement = function (this: Document, name: string, options?: ElementCreationOptions) {
    const el = make.call(this, name, options)
    if (el instanceof HTMLStyleElement) el.nonce = nonce
    return el
  } as typeof document.createElement
}
