// What a search for quality has found stands on the file's page: a curve for each rendition, what was chosen, and the bytes saved.
import assert from "node:assert/strict"
import { join } from "node:path"
import { after, before, test } from "node:test"
import { api, axe, drop, go, launch, processed, signIn, stage } from "./stage.mjs"

const { FILM, SHOTS } = process.env
let browser

before(async () => {
  browser = await launch()
})
after(() => browser?.close())

test("the curves and the bytes saved are shown", async () => {
  const { page, context, allWasWell } = await stage(browser)
  await signIn(page)
  await drop(page, FILM, "searched.mp4")
  await page.getByText("Uploaded ·").waitFor()
  const { body } = await api("GET", "/v1/files")
  const file = await processed(body.files.find((one) => one.filename === "searched.mp4").id)
  const { body: jobs } = await api("GET", `/v1/jobs?file_id=${file.id}`)
  const { body: job } = await api("GET", `/v1/jobs/${jobs.jobs[0].id}`)
  const { curves } = job.plan.quality
  await go(page, `#/file/${file.id}`)
  await page.getByRole("img", { name: "How like the film each rendition is" }).waitFor()
  const points = curves.flatMap((curve) => curve.points)
  assert.equal(await page.locator(".curves .curve").count(), curves.length)
  assert.equal(await page.locator(".curves circle").count(), points.length)
  for (const { name, crf, usual_crf } of curves) {
    const said = crf === usual_crf ? `${crf}` : `${crf} instead of ${usual_crf}`
    await page.locator(".quality tr", { hasText: name }).getByText(new RegExp(`^(${said}|left out)$`)).waitFor()
  }
  await page.getByText(/^About .* (saved by this|more for the quality wanted)\.$/).waitFor()
  assert.deepEqual(await axe(page), [])
  if (SHOTS) await page.locator(".quality").screenshot({ path: join(SHOTS, "quality.png") })
  allWasWell()
  await context.close()
})
