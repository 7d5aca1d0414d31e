import assert from "node:assert/strict"
import { test } from "node:test"
import { Cutter } from "../dist/sse.js"

const STREAM = ": hello\n\nid: 7\nevent: file.ready\ndata: {\"a\":\ndata: 1}\n\ndata: x\r\n\r\nid: 8\n\ndata:y\n\n"

test("events are the same however the stream is cut", () => {
  const whole = new Cutter().take(STREAM)
  assert.deepEqual(whole, [
    { id: "7", type: "file.ready", data: '{"a":\n1}' },
    { id: null, type: "message", data: "x" },
    { id: "8", type: "message", data: "" },
    { id: null, type: "message", data: "y" },
  ])
  for (let size = 1; size < 20; size += 1) {
    const cutter = new Cutter()
    const events = []
    for (let at = 0; at < STREAM.length; at += size) events.push(...cutter.take(STREAM.slice(at, at + size)))
    assert.deepEqual(events, whole, `pieces of ${size}`)
  }
})
