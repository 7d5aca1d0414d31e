// One upload in the list.
import { percent, size, span } from "../format"
import { links } from "../place"
import { useStore } from "../store"
import { texts } from "../texts"
import { advice } from "../advice"
import { ask } from "../ui/ask"
import { Bar } from "../ui/bar"
import { Button } from "../ui/button"
import { Icon } from "../ui/icon"
import type { Uploads } from "./queue"
import type { Shown, Upload } from "./upload"

export function UploadRow({ upload, uploads }: { upload: Upload; uploads: Uploads }) {
  const shown = useStore(upload.shown)
  const { name, size: total } = upload
  const { status } = shown
  const cancel = async () => {
    const sent = shown.sent > 0 && !upload.isOver
    if (!sent || (await ask(texts.confirm.cancelUpload(name), texts.confirm.cancelYes))) await uploads.cancel(upload)
  }
  return (
    <li class={`upload ${status}`}>
      <div class="line">
        <span class="name" title={name}>
          {name}
        </span>
        <span class="actions">
          {(status === "sending" || status === "starting" || status === "reconnecting") && (
            <Button kind="quiet" icon="pause" name={texts.uploads.pauseName(name)} onClick={() => void upload.pause()} />
          )}
          {status === "paused" && (
            <Button kind="quiet" icon="play" name={texts.uploads.resumeName(name)} onClick={() => uploads.resume(upload)} />
          )}
          {status === "failed" && (
            <Button kind="quiet" icon="restore" name={texts.uploads.retryName(name)} onClick={() => uploads.resume(upload)} />
          )}
          {status === "done" && shown.fileId && (
            <a class="button quiet" href={links.file(shown.fileId)} aria-label={texts.uploads.openName(name)}>
              {texts.uploads.open}
            </a>
          )}
          <Button
            kind="quiet"
            icon="close"
            name={upload.isOver ? texts.uploads.dismissName(name) : texts.uploads.cancelName(name)}
            onClick={() => void cancel()}
          />
        </span>
      </div>
      {status !== "done" && <Bar value={total ? shown.sent / total : 0} name={texts.uploads.progress(name)} tone={status} />}
      <p class="small">
        <Words shown={shown} total={total} />
      </p>
    </li>
  )
}

function Words({ shown, total }: { shown: Shown; total: number }) {
  const { status, error, sent, speed, leftMs } = shown
  const so = texts.uploads.sent(size(sent), size(total))
  if (status === "done") {
    return (
      <span class="good">
        <Icon name="check" /> {texts.uploads.done} · {size(total)}
      </span>
    )
  }
  if (status === "failed" && error) {
    return (
      <span class="wrong" role="alert">
        {error.message} {advice(error.code)} <span class="code">{texts.errors.code(error.code)}</span>
      </span>
    )
  }
  if (status === "reconnecting") {
    return <span class="warn">{error ? `${error.message} ${advice(error.code) ?? ""}` : texts.uploads.reconnecting}</span>
  }
  if (status === "waiting") return <span>{texts.uploads.waiting}</span>
  if (status === "paused") return <span>{`${texts.uploads.paused} · ${so}`}</span>
  if (status === "starting") return <span>{`${texts.uploads.starting} · ${size(total)}`}</span>
  const parts = [`${percent(total ? sent / total : 0)} %`, so]
  if (speed) parts.push(texts.uploads.speed(size(speed)))
  if (leftMs) parts.push(texts.uploads.left(span(leftMs)))
  return <span>{parts.join(" · ")}</span>
}
