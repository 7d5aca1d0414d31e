// Gives a film to a video element: HLS by hls.js where there are media source extensions, by the browser itself where there are none,
// and the plain file where there is no HLS of it.
import Hls, { type ErrorData } from "hls.js"
import { parameters } from "../api/client"
import { fromBody, type ApiError, unreachable } from "../api/error"
import { texts } from "../texts"
import { Languages, Qualities } from "./choices"
import { offer } from "./qualities"

/** A video element with lists that the controls look for. */
export class Screen {
  readonly video = document.createElement("video")
  readonly qualities = new Qualities()
  readonly languages = new Languages()

  constructor() {
    const own = (name: string, value: unknown) => Object.defineProperty(this.video, name, { value, configurable: true })
    // What the browser itself offers stays where it plays HLS itself.
    if (Hls.isSupported()) {
      own("videoRenditions", this.qualities)
      own("audioTracks", this.languages)
    }
    this.video.slot = "media"
    this.video.playsInline = true
    this.video.preload = "auto"
  }
}

export interface Film {
  id: string
  token: string
}

/** Attempts to get over an error of media before it is told. */
const RECOVERIES = 3

/** Returns how to take it away again. */
export function open(screen: Screen, film: Film, failed: (error: ApiError) => void): () => void {
  const master = `/v1/files/stream/${film.id}/master.m3u8?${parameters({ token: film.token })}`
  const plain = `/v1/files/stream/${film.id}?${parameters({ token: film.token })}`
  const media = screen.video
  if (Hls.isSupported()) return openHls(screen, master, plain, failed)
  const error = () => void reason(plain).then(failed)
  media.src = media.canPlayType("application/vnd.apple.mpegurl") ? master : plain
  media.addEventListener("error", error)
  return () => {
    media.removeEventListener("error", error)
    empty(media)
  }
}

function openHls({ video: media, qualities, languages }: Screen, master: string, plain: string, failed: (error: ApiError) => void): () => void {
  // Workers would come from a blob, which the page's policy refuses; fragmented MP4 leaves them nothing to do.
  const hls = new Hls({ enableWorker: false, capLevelToPlayerSize: true, backBufferLength: 60 })
  offer(hls, qualities, languages)
  let recoveries = 0
  let left = () => hls.destroy()
  const toPlain = () => {
    hls.destroy()
    const error = () => void reason(plain).then(failed)
    media.src = plain
    media.addEventListener("error", error)
    left = () => media.removeEventListener("error", error)
  }
  hls.on(Hls.Events.ERROR, (_, data: ErrorData) => {
    if (!data.fatal) return
    const status = data.response?.code ?? 0
    if (data.type === Hls.ErrorTypes.MEDIA_ERROR && recoveries++ < RECOVERIES) return hls.recoverMediaError()
    // Not everything that plays is cut into segments.
    const noPlaylist = data.details === Hls.ErrorDetails.MANIFEST_LOAD_ERROR && (status === 404 || status === 409)
    if (noPlaylist || data.details === Hls.ErrorDetails.MANIFEST_INCOMPATIBLE_CODECS_ERROR) return toPlain()
    void reason(master).then(failed)
  })
  hls.loadSource(master)
  hls.attachMedia(media)
  return () => {
    left()
    empty(media)
  }
}

function empty(media: HTMLMediaElement): void {
  media.removeAttribute("src")
  media.load()
}

/** An element does not tell why it was refused, so the server is asked once more. */
async function reason(address: string): Promise<ApiError> {
  try {
    const answer = await fetch(address, { headers: { Range: "bytes=0-0" } })
    return fromBody(answer.status, answer.ok ? { detail: texts.player.failed, code: "media_error" } : await answer.json(), answer.headers)
  } catch {
    return unreachable(texts.errors.unreachable)
  }
}
