// The whole page takes what is dropped on it.
import { useEffect, useState } from "preact/hooks"
import { texts } from "../texts"
import { Icon } from "../ui/icon"
import { dropped, type Picked } from "./picked"

export function DropZone({ take }: { take: (picked: Picked[]) => void }) {
  const [over, setOver] = useState(false)
  useEffect(() => {
    // Each element below the pointer is entered and left; the page is left when all of them are.
    let depth = 0
    const hasFiles = (event: DragEvent) => event.dataTransfer?.types.includes("Files") ?? false
    const enter = (event: DragEvent) => {
      if (!hasFiles(event)) return
      depth += 1
      setOver(true)
    }
    const leave = (event: DragEvent) => {
      if (hasFiles(event) && --depth <= 0) setOver(false)
    }
    const hover = (event: DragEvent) => hasFiles(event) && event.preventDefault()
    const drop = (event: DragEvent) => {
      if (!hasFiles(event) || !event.dataTransfer) return
      event.preventDefault()
      depth = 0
      setOver(false)
      void dropped(event.dataTransfer).then(take)
    }
    const listeners = { dragenter: enter, dragleave: leave, dragover: hover, drop } as const
    for (const [name, listener] of Object.entries(listeners)) addEventListener(name, listener as EventListener)
    return () => {
      for (const [name, listener] of Object.entries(listeners)) removeEventListener(name, listener as EventListener)
    }
  }, [take])
  return (
    <div class="drop-zone" hidden={!over} aria-hidden="true">
      <div>
        <Icon name="upload" />
        <p>{texts.uploads.dropHere}</p>
        <p class="soft">{texts.uploads.dropHint}</p>
      </div>
    </div>
  )
}
