// Events of a server that this file is itself, so that it can be cut where it matters.
import assert from "node:assert/strict"
import http from "node:http"
import { test } from "node:test"
import { Reelgate } from "../dist/index.js"

/** Tells these events, one connection after the other; each is cut after its own. */
async function server(connections) {
  const asked = []
  const server = http.createServer((request, response) => {
    asked.push({ url: request.url, last: request.headers["last-event-id"], authorization: request.headers.authorization })
    const next = connections.shift()
    if (typeof next === "number") {
      response.writeHead(next, { "Content-Type": "application/json" })
      response.end(JSON.stringify({ detail: "no", code: next === 401 ? "token_expired" : "scope_missing" }))
      return
    }
    response.writeHead(200, { "Content-Type": "text/event-stream" })
    response.write(next ?? ":\n\n")
    if (next) setTimeout(() => response.destroy(), 20)
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, asked, close: () => (server.closeAllConnections(), server.close()) }
}

const event = (id, type) => `event: ${type}\nid: ${id}\ndata: ${JSON.stringify({ id: `${id}`, type, file_id: "f", created_at: "", data: {} })}\n\n`

test("who is cut off goes on behind the last event, with a fresh sign-in", async () => {
  const at = await server(["retry: 10\nid: 4\n\n", event(5, "file.staged") + event(6, "file.ready"), 401, event(7, "file.completed"), "event: reset\nid: 90\ndata: {}\n\n"])
  const tokens = ["one", "two", "three"]
  const reelgate = new Reelgate({ url: at.url, jwt: () => tokens.shift() })
  const heard = []
  let resets = 0
  await new Promise((resolve) => {
    const listener = reelgate.events({
      file: "f",
      onEvent: ({ id, type }) => heard.push(`${id} ${type}`),
      onReset: () => {
        resets += 1
        assert.equal(listener.lastEventId, "90")
        listener.close()
        resolve()
      },
    })
  })
  at.close()
  assert.deepEqual(heard, ["5 file.staged", "6 file.ready", "7 file.completed"])
  assert.equal(resets, 1)
  assert.deepEqual(at.asked.map(({ last }) => last), [undefined, "4", "6", "6", "7"])
  assert.deepEqual(at.asked.map(({ authorization }) => authorization), ["one", "one", "one", "two", "two"].map((it) => `Bearer ${it}`))
  assert.ok(at.asked.every(({ url }) => url === "/v1/events?file_id=f"))
})

test("who may not listen hears why, and does not ask for ever", async () => {
  const at = await server([403])
  const error = await new Promise((resolve) => new Reelgate({ url: at.url, jwt: "x" }).events({ onEvent: () => {}, onError: resolve }))
  at.close()
  assert.equal(error.code, "scope_missing")
  assert.equal(at.asked.length, 1)
})
