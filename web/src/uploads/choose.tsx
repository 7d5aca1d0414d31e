// The browser's own choosers of files and folders, which our buttons open.
import type { Ref } from "preact"
import { chosen, type Picked } from "./picked"

/** Not yet in everybody's types. */
const FOLDERS = { webkitdirectory: true }

interface Props {
  files: Ref<HTMLInputElement>
  folder: Ref<HTMLInputElement>
  take: (picked: Picked[]) => void
}

export function Choosers({ files, folder, take }: Props) {
  const changed = (event: Event) => {
    const input = event.currentTarget as HTMLInputElement
    take(chosen(input.files ?? []))
    // The same file may be chosen again.
    input.value = ""
  }
  return (
    <>
      <input id="choose-files" ref={files} type="file" multiple hidden onChange={changed} />
      <input id="choose-folder" ref={folder} type="file" hidden {...FOLDERS} onChange={changed} />
    </>
  )
}
