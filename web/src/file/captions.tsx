// Captions of a file: those that are there, and a form for more.
import { useRef, useState } from "preact/hooks"
import type { ApiError } from "../api/error"
import type { FileRecord } from "../api/types"
import { language } from "../format"
import type { Session } from "../session"
import { texts } from "../texts"
import { asError } from "../ui/asked"
import { Button } from "../ui/button"
import { Problem } from "../ui/problem"
import { say } from "../ui/toasts"

export function Captions({ session, file, changed }: { session: Session; file: FileRecord; changed: () => void }) {
  const there = file.renditions.filter((rendition) => rendition.kind === "captions")
  const [error, setError] = useState<ApiError | null>(null)
  const remove = (tag: string) => {
    session.client.removeCaptions(file.id, tag).then(changed, (problem: unknown) => setError(asError(problem)))
  }
  return (
    <>
      {there.length === 0 && <p class="soft">{texts.file.noCaptions}</p>}
      <ul class="rows">
        {there.map((one) => {
          const tag = one.language ?? "und"
          return (
            <li class="row" key={one.name}>
              <span class="grow">
                <strong>{one.label ?? language(tag)}</strong> <span class="soft small">{tag}</span>
              </span>
              {one.added && (
                <Button kind="quiet" icon="trash" name={texts.file.removeCaptions(language(tag))} onClick={() => remove(tag)} />
              )}
            </li>
          )
        })}
      </ul>
      {error && <Problem error={error} />}
      <Add session={session} id={file.id} changed={changed} />
    </>
  )
}

function Add({ session, id, changed }: { session: Session; id: string; changed: () => void }) {
  const chooser = useRef<HTMLInputElement>(null)
  const [tag, setTag] = useState("")
  const [label, setLabel] = useState("")
  const [error, setError] = useState<ApiError | null>(null)
  const submit = async (event: Event) => {
    event.preventDefault()
    const document = chooser.current?.files?.[0]
    if (!document) return
    try {
      await session.client.addCaptions(id, tag.trim(), label.trim(), await document.text())
      setError(null)
      setTag("")
      setLabel("")
      if (chooser.current) chooser.current.value = ""
      say(texts.file.captionsAdded)
      changed()
    } catch (problem) {
      setError(asError(problem))
    }
  }
  return (
    <form class="stack" onSubmit={(event) => void submit(event)}>
      <h3>{texts.file.addCaptions}</h3>
      <label>
        {texts.file.captionsFile}
        <input ref={chooser} type="file" accept=".vtt,.srt,text/vtt" required />
      </label>
      <div class="pair">
        <label>
          {texts.file.language}
          <input value={tag} required placeholder="en" title={texts.file.languageHint} onInput={(event) => setTag(event.currentTarget.value)} />
        </label>
        <label>
          {texts.file.captionsLabel}
          <input value={label} onInput={(event) => setLabel(event.currentTarget.value)} />
        </label>
      </div>
      {error && <Problem error={error} />}
      <div>
        <Button submit icon="plus">
          {texts.file.upload}
        </Button>
      </div>
    </form>
  )
}
