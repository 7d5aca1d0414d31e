// What people come for: a film is dropped, goes on after a reload, is watched while it is made, played, shared, and thrown away.
import assert from "node:assert/strict"
import { stat } from "node:fs/promises"
import { after, before, test } from "node:test"
import { drop, go, launch, processed, signIn, stage } from "./stage.mjs"

const FILM = process.env.FILM
const NAME = "holiday.mp4"
let browser, shown

before(async () => {
  browser = await launch()
  shown = await stage(browser)
  await signIn(shown.page)
})
after(() => browser?.close())

test("a dropped film goes on after a reload where it stopped", async () => {
  const { page, context } = shown
  await page.getByRole("heading", { name: "No films yet" }).waitFor()
  const size = (await stat(FILM)).size
  const session = await context.newCDPSession(page)
  const slow = (uploadThroughput) =>
    session.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: -1, uploadThroughput })
  await session.send("Network.enable")
  await slow(size / 20)
  await drop(page, FILM, NAME)
  const bar = page.getByRole("progressbar", { name: `Progress of ${NAME}` })
  await until(async () => Number(await bar.getAttribute("aria-valuenow")) >= 30)
  await page.getByText(/\/s · .* left/).waitFor()

  await page.getByRole("button", { name: `Pause ${NAME}` }).click()
  await page.getByText("Paused ·").waitFor()
  await page.getByRole("button", { name: `Resume ${NAME}` }).click()
  await page.getByRole("button", { name: `Pause ${NAME}` }).waitFor()

  const sent = (Number(await bar.getAttribute("aria-valuenow")) / 100) * size
  await page.reload()
  await page.getByText("Drop or choose this file again").waitFor()
  await slow(-1)
  const head = page.waitForResponse((answer) => answer.request().method() === "HEAD" && answer.url().includes("/v1/uploads/"))
  await drop(page, FILM, NAME)
  const offset = Number((await head).headers()["upload-offset"])
  assert.ok(offset >= sent / 2, `${sent} bytes were sent, and it goes on at ${offset}`)
  await page.getByText("Uploaded ·").waitFor()
  await page.getByRole("link", { name: `Open ${NAME}` }).click()
  await page.getByRole("heading", { level: 1, name: NAME }).waitFor()
})

test("what becomes of it is shown without a reload", async () => {
  const { page } = shown
  const id = page.url().split("/").at(-1)
  await page.locator("media-controller").waitFor()
  const file = await processed(id)
  for (const rendition of file.renditions.filter((one) => one.kind === "video")) {
    const name = rendition.name === "source" ? "As uploaded" : rendition.name
    await page.getByRole("rowheader", { name, exact: true }).waitFor()
  }
  await page.getByText("Finished", { exact: true }).waitFor()
})

test("it plays, in the quality that is chosen", async () => {
  const { page } = shown
  const state = (expression) => page.evaluate(`(() => { const video = document.querySelector("video"); return ${expression} })()`)
  // Opened anew, all of its qualities are in the playlist, as soon as the gateway has looked at the file again (two seconds).
  const heights = await until(async () => {
    await page.reload()
    await page.getByRole("button", { name: "play", exact: true }).click()
    await until(() => state("video.currentTime > 1 && !video.paused"))
    return state("video.videoRenditions.length > 1 && [...video.videoRenditions].map((one) => one.height)")
  })
  const lowest = Math.min(...heights)
  await page.locator("media-settings-menu-button").click()
  await page.getByRole("menuitem", { name: "Quality" }).click()
  await page.getByRole("menuitemradio", { name: `${lowest}p` }).click()
  await until(() => state(`video.videoHeight === ${lowest}`))
  await until(() => state("video.currentTime > 3"))
  assert.equal(await state("video.error"), null)
})

test("captions that are added can be read", async () => {
  const { page } = shown
  await page.getByLabel("WebVTT or SubRip file").setInputFiles({
    name: "en.vtt",
    mimeType: "text/vtt",
    buffer: Buffer.from("WEBVTT\n\n00:00.000 --> 00:20.000\nA word to be read\n"),
  })
  await page.getByLabel("Language", { exact: true }).fill("en")
  await page.getByLabel("Name (optional)").fill("English")
  await page.getByRole("button", { name: "Add", exact: true }).click()
  await page.getByRole("button", { name: "Remove captions in English" }).waitFor()
  await page.reload()
  await page.getByRole("button", { name: "play", exact: true }).click()
  await page.locator("media-captions-menu-button").click()
  await page.getByRole("menuitemradio", { name: "English" }).click()
  await until(() =>
    page.evaluate(() => {
      const tracks = [...document.querySelector("video").textTracks]
      return tracks.some((track) => track.mode === "showing" && [...(track.activeCues ?? [])].some((cue) => cue.text === "A word to be read"))
    }),
  )
})

test("the seek bar shows the storyboard", async () => {
  const { page } = shown
  await page.locator("media-time-range").hover()
  await until(() => page.evaluate(() => document.querySelector("media-controller").getAttribute("mediapreviewimage") ?? document.querySelector("media-preview-thumbnail").getAttribute("mediapreviewimage")))
})

test("a shared link plays without signing in", async () => {
  const { page } = shown
  await page.getByRole("button", { name: "Share" }).click()
  await page.getByText("Whoever opens this link within 5 minutes").waitFor()
  const link = await page.getByLabel("Link").inputValue()
  await page.keyboard.press("Escape")
  const guest = await stage(browser)
  await guest.page.goto(link)
  await guest.page.getByRole("button", { name: "play", exact: true }).click()
  await until(() => guest.page.evaluate(() => document.querySelector("video").currentTime > 0.5))
  assert.equal(await guest.page.evaluate(() => sessionStorage.length), 0)
  guest.allWasWell()
  await guest.context.close()
})

test("name and tags are changed, and found by", async () => {
  const { page } = shown
  await page.getByLabel("Name", { exact: true }).fill("beach.mp4")
  await page.getByLabel("Tags").fill("summer, sea")
  await page.getByRole("button", { name: "Save" }).click()
  await page.getByRole("heading", { level: 1, name: "beach.mp4" }).waitFor()
  await page.getByRole("link", { name: "Library" }).first().click()
  await page.getByLabel("Search by name").fill("no such thing")
  await page.getByText("Nothing matches").waitFor()
  await page.getByRole("button", { name: "Clear filters" }).click()
  await page.getByLabel("Tag", { exact: true }).fill("sea")
  await page.getByRole("link", { name: "beach.mp4" }).waitFor()
  await page.getByLabel("Tag", { exact: true }).fill("")
})

test("whoever rests on a card sees the film pass", async () => {
  const { page } = shown
  await page.getByRole("link", { name: "beach.mp4" }).hover()
  await page.locator(".hover-preview svg").waitFor()
})

test("what is deleted lies in the trash, comes back, and goes for good", async () => {
  const { page } = shown
  await page.getByLabel("Select beach.mp4").check()
  await page.getByRole("button", { name: "Delete", exact: true }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
  await page.getByRole("heading", { name: "No films yet" }).waitFor()
  await go(page, "#/trash")
  await page.getByRole("button", { name: "Restore beach.mp4" }).click()
  await page.getByRole("heading", { name: "The trash is empty" }).waitFor()
  await go(page, "#/")
  await page.getByRole("link", { name: "beach.mp4" }).click()
  // Whoever deletes it has seen it: what its player has asked for has come.
  await until(() => page.evaluate(() => document.querySelector("video")?.readyState >= 3))
  await page.getByRole("button", { name: "Delete", exact: true }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
  await page.getByRole("heading", { name: "No films yet" }).waitFor()
  await go(page, "#/trash")
  await page.getByLabel("Select beach.mp4").check()
  await page.getByRole("button", { name: "Delete for good" }).click()
  await page.getByRole("dialog").getByRole("button", { name: "Delete" }).click()
  await page.getByRole("heading", { name: "The trash is empty" }).waitFor()
  shown.allWasWell()
})

/** Asks until the answer is yes, and gives it. */
async function until(ask) {
  for (const end = Date.now() + 60_000; ; ) {
    const answer = await ask()
    if (answer) return answer
    assert.ok(Date.now() < end, `not in time: ${ask}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
