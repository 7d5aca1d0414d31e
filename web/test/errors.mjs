// What people meet when something is wrong: a sentence, what to do, and a code; and nothing else.
import assert from "node:assert/strict"
import { after, before, test } from "node:test"
import { api, BASE, drop, go, JWT, launch, signIn, stage } from "./stage.mjs"

const { FILM, MEMBER } = process.env
let browser

before(async () => {
  browser = await launch()
})
after(() => browser?.close())

/** The browser itself says on its console that a request was refused. */
const refused = (complaint) => complaint.startsWith("Failed to load resource")

test("what is no token is told so before anybody is asked", async () => {
  const { page, context, allWasWell } = await stage(browser)
  await page.goto(BASE)
  await page.getByLabel("Sign-in token (a JWT)").fill("not a token")
  await page.getByRole("button", { name: "Sign in" }).click()
  await page.getByText("This is not a JWT.").waitFor()
  allWasWell()
  await context.close()
})

test("who is not let in any more is asked to sign in again", async () => {
  const { page, context } = await stage(browser)
  const [head, claims, mac] = JWT.split(".")
  await page.goto(`${BASE}/#jwt=${head}.${claims}.${mac.split("").reverse().join("")}`)
  await page.getByText("The server does not accept this sign-in.").waitFor()
  await context.close()
})

test("a file that is not there says so", async () => {
  const { page, context, allWasWell } = await stage(browser, { forgive: refused })
  await signIn(page)
  await go(page, "#/file/018f4b1e-0000-7000-8000-000000000001")
  await page.getByRole("heading", { name: "There is no such file" }).waitFor()
  allWasWell()
  await context.close()
})

test("a film above the quota is refused with what to do", async () => {
  const { page, context, allWasWell } = await stage(browser, { forgive: refused })
  await signIn(page)
  await drop(page, FILM, "large.mp4")
  await page.getByText("Your organisation has used up its storage.").waitFor()
  await page.getByText("Code: quota_bytes").waitFor()
  await page.getByRole("button", { name: "Remove large.mp4 from this list" }).click()
  allWasWell()
  await context.close()
})

test("a file that failed says why, and what to do", async () => {
  const { page, context, allWasWell } = await stage(browser)
  await signIn(page)
  await page.evaluate(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File([new Uint8Array(5000).map((_, at) => at * 7)], "broken.mp4", { type: "video/mp4" }))
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }))
  })
  await page.getByRole("link", { name: "Open broken.mp4" }).click()
  await page.getByText("Processing failed.").waitFor()
  await page.getByText("Code: not_media").first().waitFor()
  allWasWell()
  await context.close()
})

test("while the server is away the list says so, and comes back by itself", async () => {
  const { page, context } = await stage(browser)
  await signIn(page)
  await context.setOffline(true)
  await page.getByLabel("Search by name").fill("x")
  await page.getByText("The server cannot be reached.").first().waitFor()
  await context.setOffline(false)
  await page.getByText("Nothing matches").waitFor()
  await context.close()
})

test("an upload that is asked to wait goes on by itself", async () => {
  const { page, context } = await stage(browser)
  await signIn(page)
  const detail = "Too many requests; wait a moment"
  let times = 0
  await page.route("**/v1/uploads", (route) => {
    times += 1
    if (times > 2) return route.fallback()
    return route.fulfill({ status: 429, headers: { "Retry-After": "1" }, json: { detail, code: "too_many_requests" } })
  })
  await page.evaluate(() => {
    const transfer = new DataTransfer()
    transfer.items.add(new File(["words"], "notes.txt", { type: "text/plain" }))
    document.body.dispatchEvent(new DragEvent("drop", { bubbles: true, cancelable: true, dataTransfer: transfer }))
  })
  await page.getByText(detail).waitFor()
  await page.getByText("Uploaded ·").waitFor()
  assert.equal(times, 3)
  await context.close()
})

test("the administration is for administrators, and a colleague's file is not theirs to change", async () => {
  const { page, context, allWasWell } = await stage(browser)
  const { body } = await api("GET", "/v1/files?limit=1")
  await signIn(page, MEMBER)
  assert.equal(await page.getByRole("link", { name: "Administration" }).count(), 0)
  await go(page, "#/admin/queue")
  await page.getByRole("heading", { name: "Only administrators see this page" }).waitFor()
  await go(page, `#/file/${body.files[0].id}`)
  await page.getByText("Only the owner or an administrator sees how it was processed.").waitFor()
  assert.equal(await page.getByRole("button", { name: "Delete" }).count(), 0)
  allWasWell()
  await context.close()
})
