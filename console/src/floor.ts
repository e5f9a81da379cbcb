// What the packages call and Chromium 88 lacks. Loaded before everything else;
// scripts/floor.mjs fails the build's test when the list grows too short.
/* eslint-disable no-extend-native */
type Indexed = { length: number; [n: number]: unknown }

function at(this: Indexed, n: number): unknown {
  const i = Math.trunc(n) || 0
  return this[i < 0 ? this.length + i : i]
}

const give = (target: object, name: string, value: unknown) => {
  if (!(name in target)) Object.defineProperty(target, name, { value, writable: true, configurable: true })
}

give(Array.prototype, 'at', at)
give(String.prototype, 'at', at)
give(Object, 'hasOwn', (o: object, k: PropertyKey) => Object.prototype.hasOwnProperty.call(o, k))

export {}
