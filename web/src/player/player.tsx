// A film with its controls. What it shows is asked for with a token of its own, which opens a lease; when that has ended another
// token is asked for, and it goes on where it was.
import "./controls"
import { useEffect, useRef, useState } from "preact/hooks"
import { parameters } from "../api/client"
import type { ApiError } from "../api/error"
import { texts } from "../texts"
import { asError } from "../ui/asked"
import { Problem } from "../ui/problem"
import { Controls } from "./bar"
import { open, Screen } from "./source"

export interface PlayerProps {
  id: string
  title: string
  /** A token to play it with. */
  token: () => Promise<string>
  hasPoster: boolean
  hasStoryboard: boolean
  isAudio?: boolean
}

export function Player({ id, title, token, hasPoster, hasStoryboard, isAudio = false }: PlayerProps) {
  const controller = useRef<HTMLElement>(null)
  const place = useRef(0)
  const [screen] = useState(() => new Screen())
  const [error, setError] = useState<ApiError | null>(null)
  const [round, setRound] = useState(0)

  useEffect(() => {
    controller.current?.append(screen.video)
    const note = () => {
      if (screen.video.currentTime > 0) place.current = screen.video.currentTime
    }
    screen.video.addEventListener("timeupdate", note)
    return () => screen.video.removeEventListener("timeupdate", note)
  }, [screen])

  useEffect(() => {
    let close = () => {}
    let gone = false
    const failed = (problem: ApiError) => gone || setError(problem)
    setError(null)
    token().then(
      (granted) => {
        if (gone) return
        decorate(screen.video, id, granted, hasPoster, hasStoryboard)
        close = open(screen, { id, token: granted }, failed)
        goOn(screen.video, place.current, round > 0)
      },
      (problem: unknown) => failed(asError(problem)),
    )
    return () => {
      gone = true
      close()
    }
  }, [screen, id, hasStoryboard, round])

  return (
    <div class={`player${isAudio ? " audio" : ""}`}>
      <media-controller ref={controller} aria-label={texts.player.label(title)} audio={isAudio || undefined}>
        <Controls isAudio={isAudio} />
      </media-controller>
      {error && <Problem error={error} again={() => setRound(round + 1)} />}
    </div>
  )
}

function decorate(video: HTMLVideoElement, id: string, token: string, poster: boolean, storyboard: boolean): void {
  const asked = parameters({ token })
  if (poster) video.poster = `/v1/files/${id}/poster?${asked}`
  for (const old of video.querySelectorAll("track[label=thumbnails]")) old.remove()
  if (!storyboard) return
  const track = document.createElement("track")
  Object.assign(track, { kind: "metadata", label: "thumbnails", default: true, src: `/v1/files/${id}/storyboard.vtt?${asked}` })
  video.append(track)
}

/** Where it was before it was opened again. */
function goOn(video: HTMLVideoElement, place: number, play: boolean): void {
  if (place > 0) {
    const there = () => {
      video.currentTime = place
    }
    video.addEventListener("loadedmetadata", there, { once: true })
  }
  if (play) void video.play().catch(() => undefined)
}
