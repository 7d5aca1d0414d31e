// Bundles the page into `dist`, a folder that the gateway embeds. Runs on Node 18 and newer.
import { mkdir, rename, rm } from "node:fs/promises"
import { bundle } from "./build/bundle.mjs"
import { compress } from "./build/compress.mjs"
import { writeDocs } from "./build/docs.mjs"
import { writeIndex } from "./build/index.mjs"
import { writeLicences } from "./build/licences.mjs"
import { copyPublic } from "./build/public.mjs"
import { writeStyleHashes } from "./build/style-hashes.mjs"

const web = new URL("./", import.meta.url)
const made = new URL("dist.new/", web)
await rm(made, { recursive: true, force: true })
await mkdir(made)
const entries = await bundle(web, made)
await writeIndex(web, made, entries)
await copyPublic(web, made)
await writeDocs(web, made)
await writeStyleHashes(made)
await writeLicences(web, made)
await compress(made)
// Nobody embeds a half of it.
await rm(new URL("dist/", web), { recursive: true, force: true })
await rename(made, new URL("dist/", web))
