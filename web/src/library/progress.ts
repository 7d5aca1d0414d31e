// How far what is processed has got, between two looks at the list: told by events alone.
import { useEffect, useState } from "preact/hooks"
import type { FileRecord } from "../api/types"
import { percent, span } from "../format"
import type { Live, News } from "../live"
import { texts } from "../texts"

export interface Progress {
  progress?: number | undefined
  position?: number | undefined
  leftMs?: number | undefined
  speed?: number | undefined
  received?: number | undefined
  rungs?: { name: string; progress: number }[] | undefined
}

export type ProgressByFile = ReadonlyMap<string, Progress>

export function useProgress(live: Live): ProgressByFile {
  const [all, setAll] = useState<ProgressByFile>(new Map())
  useEffect(
    () =>
      live.follow((news) => {
        const told = tellsProgress(news)
        if (told && news.file_id) setAll((before) => new Map(before).set(news.file_id ?? "", told))
      }),
    [live],
  )
  return all
}

function tellsProgress({ type, data }: News): Progress | null {
  const number = (name: string) => (typeof data[name] === "number" ? (data[name] as number) : undefined)
  const [received, whole] = [number("received_bytes"), number("size_bytes")]
  switch (type) {
    case "upload.progress":
      return { received, progress: received !== undefined && whole ? received / whole : undefined }
    case "job.queued":
      return { position: number("position") }
    case "job.progress":
      return {
        progress: number("progress"),
        leftMs: number("time_left_ms"),
        speed: number("speed"),
        rungs: Array.isArray(data.rungs) ? (data.rungs as { name: string; progress: number }[]) : undefined,
      }
    default:
      return null
  }
}

/** What is known of it, in a line. */
export function progressWords(file: FileRecord, told: Progress | undefined): string | null {
  const parts = [texts.states[file.state] ?? file.state]
  if (told?.position !== undefined && file.state === "staged") parts.push(texts.library.queued(told.position))
  const done = told?.progress ?? file.progress
  if (done > 0) parts.push(texts.library.percent(percent(done)))
  if (told?.leftMs !== undefined && done < 1) parts.push(texts.library.left(span(told.leftMs)))
  return parts.join(" · ")
}
