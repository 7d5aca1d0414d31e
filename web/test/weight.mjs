// How much there is to load before anything is seen.
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { launch, signIn, stage } from "./stage.mjs"

/** Bytes as they travel. */
const FIRST_LOAD = 150_000
let browser

before(async () => {
  browser = await launch()
})
after(() => browser?.close())

test("the library is there after less than 150 KB, and the player is not loaded", async () => {
  const { page, context, allWasWell } = await stage(browser)
  const session = await context.newCDPSession(page)
  await session.send("Network.enable")
  const [addresses, bytes] = [new Map(), new Map()]
  session.on("Network.responseReceived", ({ requestId, response }) => addresses.set(requestId, new URL(response.url).pathname))
  session.on("Network.loadingFinished", ({ requestId, encodedDataLength }) => bytes.set(requestId, encodedDataLength))
  await signIn(page)
  await page.getByRole("heading", { name: "No films yet" }).waitFor()
  const loaded = [...bytes].map(([id, length]) => [addresses.get(id) ?? "", length])
  const total = loaded.reduce((sum, [, length]) => sum + length, 0)
  console.log(`first load: ${total} bytes`, Object.fromEntries(loaded))
  assert.ok(loaded.some(([path]) => path.startsWith("/assets/main-")), "nothing was measured")
  assert.ok(total < FIRST_LOAD, `${total} bytes`)
  assert.ok(!loaded.some(([path]) => path.includes("player")), "the player is loaded before it is needed")
  allWasWell()
  await context.close()
})

test("what is named by its content is never asked for again", async () => {
  const { page, context } = await stage(browser)
  await signIn(page)
  await page.reload()
  await page.getByRole("heading", { name: "Library" }).waitFor()
  const timing = await page.evaluate(() =>
    performance.getEntriesByType("resource").filter((entry) => entry.name.includes("/assets/")).map((entry) => entry.transferSize),
  )
  assert.ok(timing.length >= 2 && timing.every((size) => size === 0), `${timing}`)
  await context.close()
})
