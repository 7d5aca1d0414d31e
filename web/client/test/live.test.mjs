// The client against a server: REELGATE_URL, and in REELGATE_JWT somebody who is signed in there. The whole-system tests start both.
import assert from "node:assert/strict"
import { createHash, randomBytes } from "node:crypto"
import { test } from "node:test"
import { Reelgate, ReelgateError } from "../dist/index.js"
import { cutting } from "./cutter.mjs"

const url = process.env.REELGATE_URL
const jwt = process.env.REELGATE_JWT
const film = process.env.REELGATE_FILM
assert.ok(url && jwt && film, "REELGATE_URL, REELGATE_JWT and REELGATE_FILM are to be set")

test("an upload that is cut goes on, and the file is what was sent", async () => {
  const bytes = randomBytes(12_000_000)
  const cutter = await cutting(url, 7_000_000)
  const reelgate = new Reelgate({ url: cutter.url, jwt })
  let [sent, file] = [0, null]
  const upload = reelgate.upload(bytes, {
    filename: "noise.bin",
    contentType: "application/octet-stream",
    retryDelays: [50, 50, 50],
    onProgress: (now) => (sent = now),
    onFile: (id) => (file = id),
  })
  const id = await upload.done
  assert.equal(cutter.cuts(), 1)
  cutter.close()
  assert.equal(sent, bytes.length)
  assert.equal(file, id)
  const info = await reelgate.file(id).catch(() => new Reelgate({ url, jwt }).file(id))
  assert.equal(info.filename, "noise.bin")
  assert.equal(info.sha256, createHash("sha256").update(bytes).digest("hex"))
})

test("what was paused goes on", async () => {
  const bytes = randomBytes(6_000_000)
  const reelgate = new Reelgate({ url, jwt })
  const upload = reelgate.upload(bytes, { filename: "paused.bin" })
  await upload.pause()
  upload.resume()
  const info = await reelgate.file(await upload.done)
  assert.equal(info.size_bytes, bytes.length)
})

test("an upload token is asked for with each upload, and no JWT is needed", async () => {
  const signedIn = { Authorization: `Bearer ${jwt}`, "Content-Type": "application/json" }
  let minted = 0
  const uploadToken = async () => {
    minted += 1
    const answer = await fetch(`${url}/v1/uploads/token`, { method: "POST", headers: signedIn, body: "{}" })
    return (await answer.json()).token
  }
  const reelgate = new Reelgate({ url, uploadToken })
  for (const name of ["a.txt", "b.txt"]) await reelgate.upload(Buffer.from("hello"), { filename: name }).done
  assert.equal(minted, 2)
})

test("a JWT that is not taken any more is renewed once, for requests and for uploads", async () => {
  const tokens = ["no.such.token", jwt]
  const first = new Reelgate({ url, jwt: () => tokens.shift() })
  assert.ok(Array.isArray((await first.files({ limit: 1 })).files))
  assert.equal(tokens.length, 0)
  const others = ["no.such.token", jwt]
  const second = new Reelgate({ url, jwt: () => others.shift() })
  assert.ok(await second.upload(Buffer.from("hello"), { filename: "c.txt", retryDelays: [0, 0] }).done)
  const never = new Reelgate({ url, jwt: "no.such.token" })
  await assert.rejects(never.files(), (error) => error instanceof ReelgateError && error.status === 401 && error.code !== "")
})

test("a film is played by its addresses, and renewed under others", async () => {
  const source = await new Reelgate({ url, jwt }).source(film)
  const before = source.hls
  for (const address of [source.hls, source.dash, source.progressive, source.poster]) {
    const answer = await fetch(address)
    assert.equal(answer.status, 200, address)
    await answer.arrayBuffer()
  }
  await source.renew()
  assert.notEqual(source.hls, before)
  assert.match(await (await fetch(source.hls)).text(), /^#EXTM3U/)
})

test("hls.js gets another address when the lease is over, where it was, and not for ever", async () => {
  const source = await new Reelgate({ url, jwt }).source(film)
  const heard = []
  let listener = null
  const hls = {
    media: { currentTime: 12.5 },
    loadSource: (address) => heard.push(address),
    startLoad: (from) => heard.push(from),
    on: (_name, given) => (listener = given),
    off: () => (listener = null),
  }
  const detach = source.attach(hls)
  await listener("hlsError", { fatal: true, response: { code: 404 } })
  await listener("hlsError", { fatal: false, response: { code: 401 } })
  assert.equal(heard.length, 1)
  for (let n = 0; n < 5; n += 1) await listener("hlsError", { fatal: true, response: { code: 401 } })
  assert.equal(heard.length, 1 + 3 * 2)
  assert.equal(heard[2], 12.5)
  assert.equal(new Set(heard.filter((one) => typeof one === "string")).size, 4)
  detach()
  assert.equal(listener, null)
})

test("all files are listed page by page, and one is deleted", async () => {
  const reelgate = new Reelgate({ url, jwt })
  const ids = []
  for await (const file of reelgate.all({ limit: 2, state: ["staged", "processing", "ready"], kind: ["other", "video"] })) ids.push(file.id)
  assert.ok(ids.length >= 5 && new Set(ids).size === ids.length, `${ids}`)
  await reelgate.delete(ids[0])
  await assert.rejects(reelgate.file(ids[0]), (error) => error.code === "file_not_found")
})

test("what happens is heard, of whatever file it is", async () => {
  const reelgate = new Reelgate({ url, jwt })
  const heard = new Map()
  const waiting = new Map()
  let listener
  await new Promise((resolve) => {
    listener = reelgate.events({
      onState: (live) => live && resolve(),
      onEvent: ({ type, file_id }) => {
        heard.set(file_id, [...(heard.get(file_id) ?? []), type])
        if (type === "file.ready") waiting.get(file_id)?.()
      },
    })
  })
  const id = await reelgate.upload(Buffer.from("hello"), { filename: "heard.txt" }).done
  if (!heard.get(id)?.includes("file.ready")) await new Promise((resolve) => waiting.set(id, resolve))
  listener.close()
  assert.ok(heard.get(id).includes("file.staged"), `${heard.get(id)}`)
})
