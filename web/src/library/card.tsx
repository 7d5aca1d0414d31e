// One file in a grid.
import { useState } from "preact/hooks"
import type { FileRecord } from "../api/types"
import { ago, clock, percent, size } from "../format"
import { links } from "../place"
import type { Session } from "../session"
import { texts } from "../texts"
import { Bar } from "../ui/bar"
import { StateChip } from "../ui/state-chip"
import { HoverPreview } from "./hover"
import { isActive } from "./list"
import { Poster } from "./poster"
import type { Progress } from "./progress"
import { progressWords } from "./progress"

interface Props {
  session: Session
  file: FileRecord
  progress: Progress | undefined
  selected: boolean
  select: (on: boolean) => void
}

export function Card({ session, file, progress, selected, select }: Props) {
  const [rests, setRests] = useState(false)
  const hasBoard = file.renditions.some((rendition) => rendition.kind === "storyboard")
  const done = progress?.progress ?? file.progress
  const duration = file.media?.duration_ms
  return (
    <li
      class={`card${selected ? " selected" : ""}`}
      onMouseEnter={() => setRests(true)}
      onMouseLeave={() => setRests(false)}
      onFocusIn={() => setRests(true)}
      onFocusOut={() => setRests(false)}
    >
      {/* The name below leads to the same place, and says where. */}
      <a class="still" href={links.file(file.id)} tabIndex={-1} aria-hidden="true">
        <Poster session={session} file={file} />
        {rests && hasBoard && <HoverPreview session={session} file={file.id} />}
        {duration ? <span class="badge">{clock(duration)}</span> : null}
        {file.state !== "ready" && <StateChip state={file.state} />}
      </a>
      <input
        type="checkbox"
        class="select"
        aria-label={texts.library.select(file.filename)}
        checked={selected}
        onChange={(event) => select(event.currentTarget.checked)}
      />
      <div class="words">
        <h2 title={file.filename}>
          <a href={links.file(file.id)}>{file.filename}</a>
        </h2>
        {isActive(file) ? (
          <>
            <Bar value={done} name={texts.states[file.state] ?? file.state} tone={file.state} />
            <p class="small">{progressWords(file, progress) ?? texts.library.percent(percent(done))}</p>
          </>
        ) : (
          <p class={`small${file.failure ? " wrong" : ""}`}>
            {file.failure?.message ?? [duration && clock(duration), size(file.size_bytes), ago(file.created_at)].filter(Boolean).join(" · ")}
          </p>
        )}
        {file.tags && file.tags.length > 0 && (
          <p class="tags">
            {file.tags.map((tag) => (
              <span class="tag" key={tag}>
                {tag}
              </span>
            ))}
          </p>
        )}
      </div>
    </li>
  )
}
