// What people say about a file: its name, tags, pairs of words, and when it is to go.
import { useState } from "preact/hooks"
import type { FileChange } from "../api/client"
import type { ApiError } from "../api/error"
import type { FileRecord } from "../api/types"
import type { Session } from "../session"
import { texts } from "../texts"
import { asError } from "../ui/asked"
import { Button } from "../ui/button"
import { Problem } from "../ui/problem"
import { say } from "../ui/toasts"

interface Props {
  session: Session
  file: FileRecord
  changed: (file: FileRecord) => void
}

export function Details({ session, file, changed }: Props) {
  const [name, setName] = useState(file.filename)
  const [tags, setTags] = useState((file.tags ?? []).join(", "))
  const [pairs, setPairs] = useState<[string, string][]>(Object.entries(file.metadata ?? {}))
  const [until, setUntil] = useState(local(file.expires_at ?? null))
  const [error, setError] = useState<ApiError | null>(null)
  const setPair = (at: number, pair: [string, string]) => setPairs(pairs.map((old, index) => (index === at ? pair : old)))
  const submit = async (event: Event) => {
    event.preventDefault()
    try {
      changed(await session.client.change(file.id, change(file, { name, tags, pairs, until })))
      setError(null)
      say(texts.file.saved)
    } catch (problem) {
      setError(asError(problem))
    }
  }
  return (
    <form class="stack" onSubmit={(event) => void submit(event)}>
      <label>
        {texts.file.columns.name}
        <input value={name} required onInput={(event) => setName(event.currentTarget.value)} />
      </label>
      <label>
        {texts.file.tags} <span class="soft small">{texts.file.tagsHint}</span>
        <input value={tags} onInput={(event) => setTags(event.currentTarget.value)} />
      </label>
      <fieldset>
        <legend>{texts.file.metadata}</legend>
        {pairs.map(([key, value], at) => (
          <div class="pair" key={at}>
            <input aria-label={texts.file.metadataKey} value={key} onInput={(event) => setPair(at, [event.currentTarget.value, value])} />
            <input aria-label={texts.file.metadataValue} value={value} onInput={(event) => setPair(at, [key, event.currentTarget.value])} />
            <Button kind="quiet" icon="close" name={texts.file.removePair(key)} onClick={() => setPairs(pairs.filter((_, index) => index !== at))} />
          </div>
        ))}
        <Button kind="quiet" icon="plus" onClick={() => setPairs([...pairs, ["", ""]])}>
          {texts.file.addPair}
        </Button>
      </fieldset>
      <label>
        {texts.file.expires} <span class="soft small">{texts.file.expiresHint}</span>
        <input type="datetime-local" value={until} onInput={(event) => setUntil(event.currentTarget.value)} />
      </label>
      {error && <Problem error={error} />}
      <div>
        <Button kind="main" submit>
          {texts.save}
        </Button>
      </div>
    </form>
  )
}

interface Wanted {
  name: string
  tags: string
  pairs: [string, string][]
  until: string
}

/** Only what differs: somebody else may have changed the rest meanwhile. */
function change(file: FileRecord, { name, tags, pairs, until }: Wanted): FileChange {
  const wanted: FileChange = {}
  if (name !== file.filename) wanted.filename = name
  const list = tags.split(",").map((tag) => tag.trim()).filter(Boolean)
  if (list.join() !== (file.tags ?? []).join()) wanted.tags = list
  const before = file.metadata ?? {}
  const after = Object.fromEntries(pairs.filter(([key]) => key.trim()))
  const gone = Object.keys(before).filter((key) => !(key in after))
  const changed = Object.entries(after).filter(([key, value]) => before[key] !== value)
  if (gone.length + changed.length > 0) {
    wanted.metadata = Object.fromEntries([...changed, ...gone.map((key): [string, null] => [key, null])])
  }
  if (until !== local(file.expires_at ?? null)) wanted.expires_at = until ? new Date(until).toISOString() : null
  return wanted
}

/** As the browser's own field for times has it: local, to the minute. */
function local(time: string | null): string {
  if (!time) return ""
  const at = new Date(time)
  return new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}
