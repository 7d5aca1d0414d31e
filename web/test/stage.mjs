// A browser with the page in it, and what may not happen there: errors on the console, exceptions, requests to other hosts.
import assert from "node:assert/strict"
import { readFile } from "node:fs/promises"
import { createRequire } from "node:module"
import { chromium } from "playwright-core"

export const BASE = process.env.BASE_URL
export const JWT = process.env.JWT
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js")
const FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--mute-audio", "--autoplay-policy=no-user-gesture-required"]
/** For a busy machine. */
export const PATIENCE = Number(process.env.PATIENCE_MS ?? 120_000)

export async function launch() {
  return chromium.launch({ executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", args: FLAGS })
}

/** A page in a context of its own; `forgive` says which complaints are meant to come. */
export async function stage(browser, { forgive = () => false, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 860 }, ...options })
  context.setDefaultTimeout(PATIENCE)
  const page = await context.newPage()
  const complaints = []
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`${message.text()} ${message.location().url}`)
  })
  page.on("pageerror", (error) => complaints.push(String(error)))
  page.on("request", (request) => {
    const { protocol, origin } = new URL(request.url())
    if (!["data:", "blob:"].includes(protocol) && origin !== BASE) complaints.push(`asked another host: ${request.url()}`)
  })
  const allWasWell = () => assert.deepEqual(complaints.filter((complaint) => !forgive(complaint)), [])
  return { context, page, allWasWell }
}

/** The library, signed in as the demo signs in. */
export async function signIn(page, jwt = JWT) {
  await page.goto(`${BASE}/#jwt=${jwt}`)
  await page.getByRole("heading", { name: "Library" }).waitFor()
  assert.equal(new URL(page.url()).hash, "", "the sign-in stays in the address bar")
}

/** Another view, as a link leads to it. */
export async function go(page, hash) {
  await page.evaluate((to) => {
    location.hash = to
  }, hash)
}

/** Drops a file on the page. It is the same file each time: name, size and time are. */
export async function drop(page, path, name) {
  const bytes = (await readFile(path)).toString("base64")
  await page.evaluate(
    ({ bytes, name }) => {
      const raw = Uint8Array.from(atob(bytes), (c) => c.charCodeAt(0))
      const transfer = new DataTransfer()
      transfer.items.add(new File([raw], name, { type: "video/mp4", lastModified: 1_700_000_000_000 }))
      for (const type of ["dragenter", "dragover", "drop"]) {
        document.body.dispatchEvent(new DragEvent(type, { bubbles: true, cancelable: true, dataTransfer: transfer }))
      }
    },
    { bytes, name },
  )
}

/** What axe finds wrong with what is shown. The page's own policy keeps scripts of others out, so this one comes by the debugger. */
export async function axe(page) {
  await page.evaluate(await readFile(AXE, "utf8"))
  const found = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }))
  return found.violations.map(({ id, help, nodes }) => ({ id, help, nodes: nodes.map((node) => node.html.slice(0, 200)) }))
}

/** An API call as the signed-in person. */
export async function api(method, path, body, jwt = JWT) {
  const headers = { Authorization: `Bearer ${jwt}`, ...(body ? { "Content-Type": "application/json" } : {}) }
  const answer = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body) })
  return { status: answer.status, body: await answer.json().catch(() => null) }
}

/** A file as it is when it is through. */
export async function processed(id) {
  for (const end = Date.now() + PATIENCE; ; ) {
    const { body } = await api("GET", `/v1/files/${id}/info`)
    if (body?.state === "failed" || (body?.state === "ready" && body.progress === 1)) return body
    assert.ok(Date.now() < end, `${id} is not processed: ${JSON.stringify(body)}`)
    await new Promise((resolve) => setTimeout(resolve, 200))
  }
}
