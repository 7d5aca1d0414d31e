// Scripts and styles: one entry, and a chunk for what is loaded later. Names carry a hash of the content.
import { existsSync } from "node:fs"
import { relative } from "node:path"
import { fileURLToPath } from "node:url"
import { build } from "esbuild"

/** What the page has to load first: `{script, style}`, below the folder that was written. */
export async function bundle(web, made) {
  const root = fileURLToPath(web)
  const result = await build({
    absWorkingDir: root,
    entryPoints: { main: "src/main.tsx" },
    outdir: fileURLToPath(new URL("assets/", made)),
    bundle: true,
    splitting: true,
    format: "esm",
    target: ["es2022", "chrome109", "firefox115", "safari16.4"],
    jsx: "automatic",
    jsxImportSource: "preact",
    minify: true,
    // Their notices are in licences.txt.
    legalComments: "none",
    entryNames: "[name]-[hash]",
    chunkNames: "[name]-[hash]",
    assetNames: "[name]-[hash]",
    define: { HAS_DOCS: String(existsSync(new URL("docs/", web))) },
    metafile: true,
    logLevel: "warning",
  })
  const outputs = Object.entries(result.metafile.outputs)
  const [script, about] = outputs.find(([, output]) => output.entryPoint === "src/main.tsx")
  const below = (path) => relative(fileURLToPath(made), `${root}${path}`)
  return { script: below(script), style: below(about.cssBundle) }
}
