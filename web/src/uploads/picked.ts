// Files that somebody has dropped or chosen, also out of folders.

export interface Picked {
  file: File
  /** With the folders it lay in, when it was chosen with them. */
  path: string
}

/** What systems put into folders, and nobody means. */
const isHidden = (name: string) => name.startsWith(".") || name === "Thumbs.db" || name === "desktop.ini"

/** The entries have to be taken before the first pause: afterwards the browser has forgotten them. */
export async function dropped(transfer: DataTransfer): Promise<Picked[]> {
  const items = [...transfer.items].filter((item) => item.kind === "file")
  const entries = items.map((item) => item.webkitGetAsEntry?.() ?? null)
  if (entries.some((entry) => entry === null)) return chosen(transfer.files)
  const found = await Promise.all(entries.map((entry) => (entry ? inside(entry, "") : [])))
  return found.flat()
}

export function chosen(files: FileList | File[]): Picked[] {
  const all = [...files].map((file) => ({ file, path: file.webkitRelativePath || file.name }))
  return all.filter(({ path }) => !path.split("/").some(isHidden))
}

async function inside(entry: FileSystemEntry, folder: string): Promise<Picked[]> {
  if (isHidden(entry.name)) return []
  if (entry.isFile) {
    const file = await new Promise<File>((resolve, reject) => (entry as FileSystemFileEntry).file(resolve, reject))
    return [{ file, path: folder + entry.name }]
  }
  const found: Picked[] = []
  for (const child of await children(entry as FileSystemDirectoryEntry)) {
    found.push(...(await inside(child, `${folder}${entry.name}/`)))
  }
  return found
}

/** A reader hands out a hundred at a time. */
async function children(folder: FileSystemDirectoryEntry): Promise<FileSystemEntry[]> {
  const reader = folder.createReader()
  const all: FileSystemEntry[] = []
  for (;;) {
    const some = await new Promise<FileSystemEntry[]>((resolve, reject) => reader.readEntries(resolve, reject))
    if (some.length === 0) return all
    all.push(...some)
  }
}
