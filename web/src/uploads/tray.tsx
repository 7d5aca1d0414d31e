// The list of uploads, in the corner of every view.
import { useEffect, useState } from "preact/hooks"
import { useStore } from "../store"
import { texts } from "../texts"
import { Button } from "../ui/button"
import { Interrupted } from "./interrupted"
import type { Uploads } from "./queue"
import { UploadRow } from "./row"

export function Tray({ uploads, choose }: { uploads: Uploads; choose: () => void }) {
  const all = useStore(uploads.all)
  const remembered = useStore(uploads.shelf.all)
  useStore(uploads.finished)
  const [open, setOpen] = useState(true)
  const done = all.filter((upload) => upload.shown.value.status === "done").length
  useEffect(() => {
    const warn = (event: BeforeUnloadEvent) => uploads.areActive && event.preventDefault()
    addEventListener("beforeunload", warn)
    return () => removeEventListener("beforeunload", warn)
  }, [uploads])
  useEffect(() => setOpen(true), [all.length])
  if (all.length === 0 && remembered.length === 0) return null
  return (
    <section class={`tray ${open ? "open" : ""}`} aria-label={texts.uploads.title}>
      <header>
        <h2>
          {texts.uploads.title} <span class="soft">{texts.uploads.summary(all.length - done, done)}</span>
        </h2>
        {done > 0 && (
          <Button kind="quiet" onClick={() => uploads.clear()}>
            {texts.uploads.clearDone}
          </Button>
        )}
        <Button
          kind="quiet"
          icon={open ? "down" : "up"}
          name={open ? texts.uploads.collapse : texts.uploads.expand}
          expanded={open}
          onClick={() => setOpen(!open)}
        />
      </header>
      {open && (
        <ul>
          {all.map((upload) => (
            <UploadRow key={upload.id} upload={upload} uploads={uploads} />
          ))}
          <Interrupted uploads={uploads} choose={choose} />
        </ul>
      )}
    </section>
  )
}
