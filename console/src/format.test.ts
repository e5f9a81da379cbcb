import { describe, expect, test } from 'vitest'
import { ago, bytes, count, day, digest, hex, none, original, percent, points, rate, wait, when } from './format'

describe('numbers', () => {
  test('count groups thousands', () => expect(count(1234567)).toBe('1,234,567'))
  test('what is absent is a dash, zero is not', () => {
    expect(count(null)).toBe(none)
    expect(count(undefined)).toBe(none)
    expect(count(0)).toBe('0')
  })
  test('rate keeps one digit below ten', () => {
    expect(rate(3.14)).toBe('3.1')
    expect(rate(31.4)).toBe('31')
  })
  test('a wait has a unit that fits', () => {
    expect(wait(0, 'zh')).toBe('0 毫秒')
    expect(wait(612.4, 'zh')).toBe('612 毫秒')
    expect(wait(1834, 'en')).toBe('1.8 s')
    expect(wait(75_000, 'zh')).toBe('75 秒')
    expect(wait(7_300_000, 'zh')).toBe('2.0 小时')
    expect(wait(200 * 3_600_000, 'en')).toBe('8.3 d')
    expect(wait(null, 'zh')).toBe(none)
  })
  test('percent never rounds up to 100', () => {
    expect(percent(1)).toBe('100.00%')
    expect(percent(0.999999)).toBe('99.99%')
    expect(percent(0.5)).toBe('50.00%')
  })
  test('points are out of 100 with one digit', () => {
    expect(points(0.9375)).toBe('93.8')
    expect(points(0.99999)).toBe('99.9')
    expect(points(undefined)).toBe(none)
  })
  test('bytes climb by 1024', () => {
    expect(bytes(0)).toBe('0 B')
    expect(bytes(1536)).toBe('1.5 KB')
    expect(bytes(5 * 1024 ** 3)).toBe('5.0 GB')
  })
})

describe('times', () => {
  test('are shown in the time of the district', () => {
    expect(when('2026-11-23T16:30:05Z')).toBe('2026-11-24 00:30:05')
    expect(day('2026-11-23T16:30:05.123456Z')).toBe('2026-11-24')
  })
  test('never is a dash', () => {
    expect(when('0001-01-01T00:00:00Z')).toBe(none)
    expect(when('')).toBe(none)
    expect(when('nonsense')).toBe(none)
  })
  test('ago uses the largest whole unit', () => {
    const now = Date.parse('2026-11-23T12:00:00Z')
    expect(ago('2026-11-23T11:59:58Z', now, 'zh')).toBe('刚刚')
    expect(ago('2026-11-23T11:59:20Z', now, 'zh')).toBe('40 秒前')
    expect(ago('2026-11-23T09:00:00Z', now, 'en')).toBe('3 h ago')
    expect(ago('2026-11-23T12:00:09Z', now, 'en')).toBe('just now') // the clocks differ a little
  })
})

describe('bytes of a rejected row', () => {
  const b64 = (...b: number[]) => btoa(String.fromCharCode(...b))
  test('text is shown as text', () => {
    const utf8 = new TextEncoder().encode('{"姓名":"张三"}')
    expect(original(b64(...utf8))).toEqual({ text: '{"姓名":"张三"}', binary: false, size: utf8.length })
  })
  test('what is not UTF-8 is shown in hex, never changed', () => {
    const got = original(b64(0xd5, 0xc5, 0x41))
    expect(got.binary).toBe(true)
    expect(got.size).toBe(3)
    expect(got.text).toContain('d5 c5 41')
    expect(got.text).toContain('..A')
  })
  test('hex breaks lines at sixteen bytes', () => {
    expect(hex(new Uint8Array(17)).split('\n')).toHaveLength(2)
  })
})

test('digest keeps the algorithm', () => {
  expect(digest('sha256:0123456789abcdef0123')).toBe('sha256:0123456789ab…')
  expect(digest('')).toBe(none)
})
