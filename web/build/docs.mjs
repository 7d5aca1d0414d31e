// The pages of the API at `/docs`: our own `docs` folder beside the files of swagger-ui-dist that it names.
import { copyFile, cp } from "node:fs/promises"
import { existsSync } from "node:fs"

const FILES = ["swagger-ui.css", "swagger-ui-bundle.js"]

export async function writeDocs(web, made) {
  const ours = new URL("docs/", web)
  if (!existsSync(ours)) return
  const docs = new URL("docs/", made)
  await cp(ours, docs, { recursive: true })
  const theirs = new URL("node_modules/swagger-ui-dist/", web)
  for (const file of FILES) await copyFile(new URL(file, theirs), new URL(file, docs))
}
