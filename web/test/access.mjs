// Who cannot see, or cannot use a mouse, gets everywhere: axe finds nothing on any view by day and by night, and one journey is made by
// keyboard alone. Pictures of each view go into SHOTS, if that is a folder.
import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { api, axe, BASE, drop, go, launch, processed, signIn, stage } from "./stage.mjs"

const { FILM, SHOTS } = process.env
const WIDTHS = [1280, 390]
let browser, film, broken

before(async () => {
  browser = await launch()
  const { page, context } = await stage(browser)
  await signIn(page)
  await drop(page, FILM, "mountain lake.mp4")
  await page.getByText("Uploaded ·").waitFor()
  await page.evaluate(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([new Uint8Array(5000).map((_, at) => at * 7)], "broken.mp4", { type: "video/mp4" }))
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }))
  })
  await page.getByRole("link", { name: "Open broken.mp4" }).waitFor()
  await context.close()
  const { body } = await api("GET", "/v1/files")
  const find = (name) => body.files.find((file) => file.filename === name).id
  film = await processed(find("mountain lake.mp4"))
  broken = await processed(find("broken.mp4"))
})
after(() => browser?.close())

/** Each view, and what says that it is all there. */
const VIEWS = {
  "sign-in": (page) => page.goto(BASE).then(() => page.getByLabel("Sign-in token (a JWT)").waitFor()),
  library: (page) => signIn(page).then(() => page.locator(".still img").first().waitFor()),
  trash: (page) => to(page, "#/trash", () => page.getByRole("heading", { name: "The trash is empty" })),
  file: async (page) => {
    await to(page, `#/file/${film.id}`, () => page.getByText("Finished", { exact: true }))
    await canPlay(page)
    await page.locator("media-play-button").focus()
  },
  failed: (page) => to(page, `#/file/${broken.id}`, () => page.getByText("Processing failed.")),
  missing: (page) => to(page, "#/file/018f4b1e-0000-7000-8000-000000000001", () => page.getByText("There is no such file").first()),
  queue: (page) => to(page, "#/admin/queue", () => page.getByText("Nothing waits and nothing runs.")),
  failures: (page) => to(page, "#/admin/failures", () => page.getByText("Code: not_media")),
  workers: (page) => to(page, "#/admin/workers", () => page.getByText("No worker has anything to do.")),
  playing: (page) => to(page, "#/admin/playing", () => page.getByRole("heading", { name: "Administration" })),
  storage: (page) => to(page, "#/admin/storage", () => page.getByText("Uploads under way")),
  webhooks: (page) => to(page, "#/admin/webhooks", () => page.getByText("No endpoint is registered.")),
  share: async (page) => {
    await to(page, `#/file/${film.id}`, () => page.getByText("Finished", { exact: true }))
    await page.getByRole("button", { name: "Share" }).click()
    await page.getByLabel("Link").waitFor()
  },
  uploads: async (page) => {
    await page.keyboard.press("Escape")
    await to(page, "#/", () => page.locator(".still img").first())
    await page.route("**/v1/uploads", () => undefined)
    await drop(page, FILM, "another film.mp4")
    await page.getByText("Starting ·").waitFor()
  },
  watch: async (page) => {
    const { body } = await api("POST", "/v1/files/token", { file_ids: [film.id], scope: ["play", "image"] })
    await to(page, `#/watch/${film.id}/${encodeURIComponent(body.token)}`, () => page.locator("media-controller"))
    await canPlay(page)
  },
}

const canPlay = (page) => page.waitForFunction(() => document.querySelector("video")?.readyState >= 2)

async function to(page, hash, there) {
  await go(page, hash)
  await there().waitFor()
}

for (const colorScheme of ["light", "dark"]) {
  for (const width of WIDTHS) {
    test(`axe finds nothing on any view, ${colorScheme}, ${width} px`, async () => {
      const viewport = { width, height: width > 500 ? 860 : 844 }
      const { page, context } = await stage(browser, { colorScheme, viewport, reducedMotion: "reduce" })
      const found = []
      for (const [name, show] of Object.entries(VIEWS)) {
        await show(page)
        if (SHOTS) await page.screenshot({ path: join(SHOTS, `${name}-${width}-${colorScheme}.png`), fullPage: true })
        const violations = await axe(page)
        const over = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        if (violations.length > 0 || over > 0) found.push({ name, violations, "pixels it scrolls sideways": over })
      }
      assert.equal(found.length, 0, JSON.stringify(found, null, 2))
      await context.close()
    })
  }
}

test("a film is found, played and left by keyboard alone", async () => {
  const { page, context, allWasWell } = await stage(browser)
  await signIn(page)
  await page.getByRole("link", { name: film.filename }).waitFor()
  await press(page, "a[href^='#/file/']", (text) => text === film.filename)
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { level: 1, name: film.filename }).waitFor()
  assert.equal(await page.evaluate(() => document.activeElement?.tagName), "H1", "the new view is not announced")
  await page.locator("media-play-button").waitFor()
  await press(page, "media-play-button", () => true, "Shift+Tab")
  await page.keyboard.press("Enter")
  await until(() => page.evaluate(() => document.querySelector("video").currentTime > 0.3))
  await page.keyboard.press("k")
  await until(() => page.evaluate(() => document.querySelector("video").paused))
  await press(page, "a.back", () => true, "Shift+Tab")
  await page.keyboard.press("Enter")
  await page.getByRole("heading", { name: "Library" }).waitFor()
  allWasWell()
  await context.close()
})

/** Goes on with Tab until the focus is there. */
async function press(page, selector, fits, key = "Tab") {
  for (let steps = 0; steps < 80; steps += 1) {
    await page.keyboard.press(key)
    const text = await page.evaluate((wanted) => (document.activeElement?.matches(wanted) ? document.activeElement.textContent : null), selector)
    if (text !== null && fits(text.trim())) return
  }
  assert.fail(`${selector} is not reached by ${key}`)
}

async function until(ask) {
  for (const end = Date.now() + 60_000; ; ) {
    if (await ask()) return
    assert.ok(Date.now() < end, `not in time: ${ask}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
