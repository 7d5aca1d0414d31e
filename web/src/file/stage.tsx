// The upper part of a file's page: the film, or why there is none yet.
import { useCallback } from "preact/hooks"
import { advice } from "../advice"
import type { FileRecord } from "../api/types"
import { parameters } from "../api/client"
import { type Progress, progressWords } from "../library/progress"
import { Poster } from "../library/poster"
import { LazyPlayer } from "../player/lazy"
import type { Session } from "../session"
import { texts } from "../texts"
import { Bar } from "../ui/bar"
import { Icon } from "../ui/icon"
import { useAsked } from "../ui/asked"

interface Props {
  session: Session
  file: FileRecord
  progress: Progress | undefined
}

export function Stage({ session, file, progress }: Props) {
  const token = useCallback(() => session.tokens.play(file.id), [session, file.id])
  const has = (kind: string) => file.renditions.some((rendition) => rendition.kind === kind)
  if (file.failure) return <Failed file={file} />
  if (has("video") || has("audio")) {
    return (
      <LazyPlayer
        id={file.id}
        title={file.filename}
        token={token}
        hasPoster={has("poster")}
        hasStoryboard={has("storyboard")}
        isAudio={!has("video")}
      />
    )
  }
  if (file.state === "ready") return file.kind === "image" ? <Picture session={session} file={file} /> : <Nothing />
  return (
    <div class="stage">
      <Poster session={session} file={file} />
      <div class="how-it-goes">
        <p class="sentence">{progressWords(file, progress)}</p>
        <Bar value={progress?.progress ?? file.progress} name={texts.states[file.state] ?? file.state} tone={file.state} />
        <p class="soft">{texts.file.waitsHint}</p>
      </div>
    </div>
  )
}

function Failed({ file }: { file: FileRecord }) {
  const { code, message } = file.failure ?? { code: "", message: "" }
  const hint = advice(code)
  return (
    <div class="stage failed" role="alert">
      <Icon name="alert" />
      <div>
        <p class="sentence">
          {texts.file.failed}. {message}
        </p>
        {hint && <p>{hint}</p>}
        <p class="code">{texts.errors.code(code)}</p>
      </div>
    </div>
  )
}

/** A picture is its own source. */
function Picture({ session, file }: { session: Session; file: FileRecord }) {
  const granted = useAsked(() => session.tokens.download(file.id), [session, file.id])
  if (!granted.value) return <div class="stage" />
  return <img class="picture" alt={file.filename} src={`/v1/files/stream/${file.id}?${parameters({ rendition: "source", token: granted.value })}`} />
}

function Nothing() {
  return (
    <div class="stage">
      <p class="soft">{texts.file.notPlayable}</p>
    </div>
  )
}
