// A gzip copy beside each file that becomes smaller by it, so that the gateway never compresses.
import { readFile, readdir, writeFile } from "node:fs/promises"
import { promisify } from "node:util"
import { gzip } from "node:zlib"

const pack = promisify(gzip)

export async function compress(folder) {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await compress(new URL(`${entry.name}/`, folder))
    else await compressFile(new URL(entry.name, folder))
  }
}

async function compressFile(file) {
  if (/style-hashes\.txt$|\.png$/.test(file.pathname)) return
  const bytes = await readFile(file)
  const packed = await pack(bytes, { level: 9 })
  if (packed.length < bytes.length * 0.9) await writeFile(new URL(`${file.href}.gz`), packed)
}
