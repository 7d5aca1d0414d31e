// What can be decided without a browser.
import assert from "node:assert/strict"
import { after, test } from "node:test"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { fileURLToPath, pathToFileURL } from "node:url"
import { build } from "esbuild"

const folder = await mkdtemp(join(tmpdir(), "reelgate-units-"))
after(() => rm(folder, { recursive: true }))

/** A module of the page, as Node takes it. */
async function load(path) {
  const entry = fileURLToPath(new URL(`../src/${path}`, import.meta.url))
  const outfile = join(folder, `${path.replaceAll("/", "-")}.mjs`)
  await build({ entryPoints: [entry], bundle: true, format: "esm", outfile, platform: "browser", logLevel: "error" })
  return import(pathToFileURL(outfile).href)
}

globalThis.location ??= { hash: "" }
globalThis.addEventListener ??= () => undefined

test("events are read however the stream is cut", async () => {
  const { Events } = await load("live.ts")
  const text = 'retry: 2000\nid: 6\n\n:\nid: 7\n\nevent: file.ready\r\nid: 8\r\ndata: {"a":\r\ndata: 1}\r\n\r\ndata: x\n\n'
  const expected = [
    { id: "6", data: "" },
    { id: "7", data: "" },
    { id: "8", data: '{"a":\n1}' },
    { id: null, data: "x" },
  ]
  for (let size = 1; size <= text.length; size += 1) {
    const events = new Events()
    const found = []
    for (let at = 0; at < text.length; at += size) found.push(...events.take(text.slice(at, at + size)))
    assert.deepEqual(found, expected, `in pieces of ${size}`)
  }
})

test("the pace is that of the last seconds, and begins anew after a break", async () => {
  const { Pace } = await load("uploads/pace.ts")
  const pace = new Pace()
  pace.note(0, 0)
  assert.equal(pace.speed, null)
  pace.note(1000, 1000)
  assert.equal(pace.speed, 1000)
  assert.equal(pace.left(3000), 2000)
  for (let second = 2; second <= 20; second += 1) pace.note(1000 + (second - 1) * 100, second * 1000)
  assert.equal(pace.speed, 100)
  pace.note(500, 21_000)
  assert.equal(pace.speed, null)
})

test("an address leads to one view, and what is none to the library", async () => {
  const { parse, links } = await load("place.ts")
  for (const [hash, place] of [
    ["", { view: "library" }],
    ["#jwt=x", { view: "library" }],
    [links.trash, { view: "trash" }],
    [links.file("7"), { view: "file", id: "7" }],
    [links.admin(), { view: "admin", section: "queue" }],
    [links.watch("7", "v1.a/b.c"), { view: "watch", id: "7", token: "v1.a/b.c" }],
    ["#/watch/7/%", { view: "library" }],
    ["#/file", { view: "library" }],
  ]) {
    assert.deepEqual(parse(hash), place, hash)
  }
})

test("a plan of a newer worker is read as far as it is understood", async () => {
  const { plannedRungs, choices, refusedOutputs } = await load("file/plan.ts")
  const plan = {
    rungs: [{ name: "720p", width: 1280, height: 720, video: { step: "encode", codec: "h264" } }, { name: "480p", width: 854, height: 480, video: { step: "copy" } }],
    reasons: [{ what: "720p", why: "the source's own size" }],
    refused: [{ name: "480p", code: "output_refused", message: "The output is too short." }],
  }
  assert.deepEqual(plannedRungs(plan), [
    { name: "720p", size: "1280 × 720", how: "encoded to H264" },
    { name: "480p", size: "854 × 480", how: "copied" },
  ])
  assert.deepEqual(choices(plan), plan.reasons)
  assert.deepEqual([...refusedOutputs(plan)], [["480p", "The output is too short."]])
  for (const strange of [null, {}, { rungs: 7, reasons: "x", refused: null }]) {
    assert.deepEqual([plannedRungs(strange), choices(strange), [...refusedOutputs(strange)]], [[], [], []])
  }
})

test("figures are those that people say", async () => {
  const { size, clock, span, bitrate } = await load("format.ts")
  assert.deepEqual([0, 999, 1000, 1_500_000, 99_960_000].map(size), ["0 B", "999 B", "1.0 KB", "1.5 MB", "100 MB"])
  assert.deepEqual([0, 59_600, 3_723_000].map(clock), ["0:00", "1:00", "1:02:03"])
  assert.deepEqual([10, 59_000, 61_000, 5_400_000].map(span), ["1 s", "59 s", "1 min", "1 h 30 min"])
  assert.deepEqual([96_000, 4_400_000].map(bitrate), ["96 kbit/s", "4.4 Mbit/s"])
})

test("what is wrong with a request is told in the server's words", async () => {
  const { fromBody } = await load("api/error.ts")
  const headers = new Headers({ "Retry-After": "5", "X-Request-Id": "r" })
  const said = fromBody(429, { detail: "Wait", code: "too_many_requests" }, headers)
  assert.deepEqual([said.message, said.code, said.retryAfter, said.requestId], ["Wait", "too_many_requests", 5, "r"])
  const listed = fromBody(422, { detail: [{ loc: ["body", "tags", 1], msg: "No comma", type: "value_error" }], code: "validation_failed" }, new Headers())
  assert.deepEqual([listed.message, listed.retryAfter], ["tags.1: No comma", null])
  assert.equal(fromBody(502, null, new Headers()).code, "http_502")
})
