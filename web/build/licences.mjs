// The notices of all that is bundled, which those who pass the page on have to pass on, too.
import { readFile, readdir, writeFile } from "node:fs/promises"
import { existsSync } from "node:fs"

const BUNDLED = ["preact", "tus-js-client", "js-base64", "url-parse", "querystringify", "requires-port", "hls.js", "media-chrome"]
const WITH_DOCS = ["swagger-ui-dist"]

export async function writeLicences(web, made) {
  const names = existsSync(new URL("docs/", made)) ? [...BUNDLED, ...WITH_DOCS] : BUNDLED
  const notices = await Promise.all(names.map((name) => notice(new URL(`node_modules/${name}/`, web))))
  await writeFile(new URL("licences.txt", made), notices.join(`\n${"-".repeat(80)}\n\n`))
}

async function notice(folder) {
  const { name, version, license } = JSON.parse(await readFile(new URL("package.json", folder), "utf8"))
  const files = (await readdir(folder)).filter((file) => /^(licen[cs]e|notice)/i.test(file)).sort()
  const texts = await Promise.all(files.map((file) => readFile(new URL(file, folder), "utf8")))
  return `${name} ${version} (${license})\n\n${texts.join("\n")}`
}
