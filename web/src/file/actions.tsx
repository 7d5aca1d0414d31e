// What can be done with one file.
import { useState } from "preact/hooks"
import { parameters } from "../api/client"
import type { FileRecord } from "../api/types"
import type { Session } from "../session"
import { texts } from "../texts"
import { asError } from "../ui/asked"
import { Button } from "../ui/button"
import { say } from "../ui/toasts"
import { Share } from "./share"

interface Props {
  session: Session
  file: FileRecord
  mine: boolean
  again: () => void
  remove: () => void
}

export function Actions({ session, file, mine, again, remove }: Props) {
  const [shares, setShares] = useState(false)
  const playable = file.state === "ready" && (file.kind === "video" || file.kind === "audio")
  const told = (work: Promise<unknown>, done?: string) =>
    work.then(
      () => {
        if (done) say(done)
        again()
      },
      (problem: unknown) => say(asError(problem).message),
    )
  return (
    <div class="actions">
      {file.failure?.retryable && mine && (
        <Button kind="main" icon="restore" onClick={() => void told(session.client.retry(file.id), texts.file.retried)}>
          {texts.file.retry}
        </Button>
      )}
      {playable && (
        <Button icon="share" onClick={() => setShares(true)}>
          {texts.file.share}
        </Button>
      )}
      {file.state !== "uploading" && (
        <Button icon="download" onClick={() => void told(download(session, file))}>
          {texts.file.download}
        </Button>
      )}
      {mine && (
        <Button kind="bad" icon="trash" onClick={remove}>
          {texts.file.trash}
        </Button>
      )}
      {shares && <Share session={session} file={file.id} close={() => setShares(false)} />}
    </div>
  )
}

async function download(session: Session, file: FileRecord): Promise<void> {
  const token = await session.tokens.download(file.id)
  const link = document.createElement("a")
  link.href = `/v1/files/stream/${file.id}?${parameters({ rendition: "source", token })}`
  link.download = file.filename
  link.click()
}
