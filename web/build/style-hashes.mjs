// The player's controls (media-chrome) bring their styles as elements in their shadow roots, which a strict content security policy
// refuses. Their templates can be asked without a browser, so each style is allowed by its hash and nothing else is.
import { createHash } from "node:crypto"
import { writeFile } from "node:fs/promises"

export async function writeStyleHashes(made) {
  const controls = { ...(await import("media-chrome")), ...(await import("media-chrome/menu")) }
  const hashes = new Set()
  for (const control of Object.values(controls)) {
    if (typeof control?.getTemplateHTML !== "function") continue
    for (const [, style] of control.getTemplateHTML({}, {}).matchAll(/<style[^>]*>([\s\S]*?)<\/style>/g)) {
      hashes.add(`sha256-${createHash("sha256").update(style).digest("base64")}`)
    }
  }
  if (hashes.size === 0) throw new Error("the controls have no styles any more: look at how they bring them")
  await writeFile(new URL("style-hashes.txt", made), `${[...hashes].sort().join("\n")}\n`)
}
