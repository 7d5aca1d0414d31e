// The one document: it names the hashed files.
import { readFile, writeFile } from "node:fs/promises"

export async function writeIndex(web, made, { script, style }) {
  const template = await readFile(new URL("index.html", web), "utf8")
  const filled = template.replace("{{script}}", `/${script}`).replace("{{style}}", `/${style}`)
  if (filled.includes("{{")) throw new Error("index.html names something that nobody fills in")
  await writeFile(new URL("index.html", made), filled)
}
