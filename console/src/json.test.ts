import { describe, expect, test } from 'vitest'
import { original } from './format'
import { compact, encode, looksJSON, pretty } from './json'

describe('layout of JSON', () => {
  const text = '{"a":1.2600,"b":"x: {,}\\"","c":[],"d":{"e":null,"f":[1,2]},"big":9007199254740993}'
  test('no value changes on the way there and back', () => expect(compact(pretty(text))).toBe(text))
  test('each member has its line', () => expect(pretty('{"a":1,"b":[2]}')).toBe('{\n  "a": 1,\n  "b": [\n    2\n  ]\n}'))
  test('what is empty stays on its line', () => expect(pretty('{"a":{}}')).toBe('{\n  "a": {}\n}'))
  test('broken text comes through', () => {
    expect(compact(pretty('{"id":'))).toBe('{"id":')
    expect(compact(pretty('{"a":"open'))).toBe('{"a":"open')
  })
  test('CSV is not JSON', () => {
    expect(looksJSON('310107,"长寿路"')).toBe(false)
    expect(looksJSON(' {"a":')).toBe(true)
  })
})

test('encode is what original reads', () => expect(original(encode('约127平 𠮷')).text).toBe('约127平 𠮷'))
