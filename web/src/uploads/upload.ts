// One upload, by tus: it goes on by itself when the connection breaks, and by hand after a pause or a reload.
import { DetailedError, Upload as Tus } from "tus-js-client"
import { type ApiError, fromBody, unreachable } from "../api/error"
import { Store } from "../store"
import { texts } from "../texts"
import { Pace } from "./pace"
import type { Picked } from "./picked"
import { keyOf, type Shelf } from "./remembered"

export type Status = "waiting" | "starting" | "sending" | "reconnecting" | "paused" | "done" | "failed"

export interface Shown {
  status: Status
  sent: number
  /** Bytes per second. */
  speed: number | null
  leftMs: number | null
  error: ApiError | null
  fileId: string | null
}

/** A gateway that is replaced is back within minutes; each byte that goes through makes the count begin anew. */
const RETRY_DELAYS = [0, 500, 1000, 2000, ...Array<number>(120).fill(5000)]
/** How often the shelf learns how far it is. */
const NOTE_MS = 1000

let next = 1

export class Upload {
  readonly id = next++
  readonly shown: Store<Shown>
  readonly name: string
  readonly size: number
  readonly key: string
  private readonly tus: Tus
  private readonly pace = new Pace()
  private noted = 0

  constructor(
    private readonly picked: Picked,
    private readonly shelf: Shelf,
    jwt: string,
    private readonly ended: () => void,
  ) {
    const { file } = picked
    this.name = file.name
    this.size = file.size
    this.key = keyOf(picked)
    const known = shelf.find(this.key)
    this.shown = new Store<Shown>({ status: "waiting", sent: known?.sent ?? 0, speed: null, leftMs: null, error: null, fileId: null })
    this.tus = new Tus(file, {
      endpoint: "/v1/uploads",
      uploadUrl: known?.url ?? null,
      headers: { Authorization: `Bearer ${jwt}` },
      metadata: { filename: file.name, filetype: file.type },
      retryDelays: RETRY_DELAYS,
      // Our own shelf, which knows who it belongs to.
      storeFingerprintForResuming: false,
      onShouldRetry: (error) => this.shouldRetry(error),
      onUploadUrlAvailable: () => this.note(),
      onAfterResponse: (_, response) => {
        const fileId = response.getHeader("Reelgate-File-Id")
        if (fileId) this.show({ fileId })
      },
      onProgress: (sent) => this.progress(sent),
      onSuccess: () => this.succeed(),
      onError: (error) => this.fail(problem(error)),
    })
  }

  get isActive(): boolean {
    return ["starting", "sending", "reconnecting"].includes(this.shown.value.status)
  }

  get isOver(): boolean {
    return ["done", "failed"].includes(this.shown.value.status)
  }

  start(): void {
    this.show({ status: "starting", error: null })
    this.tus.start()
  }

  /** To be started when it is its turn. */
  wait(): void {
    this.show({ status: "waiting", error: null })
  }

  async pause(): Promise<void> {
    this.pace.forget()
    this.show({ status: "paused", speed: null, leftMs: null })
    await this.tus.abort()
    this.ended()
  }

  /** What was sent is thrown away, here and at the server. */
  async cancel(): Promise<void> {
    this.shelf.forget(this.key)
    const gone = this.tus.abort(this.tus.url !== null && !this.isOver)
    this.ended()
    // It expires there, too, if the server cannot be told now.
    await gone.catch(() => undefined)
  }

  private progress(sent: number): void {
    const now = Date.now()
    this.pace.note(sent, now)
    this.show({ status: "sending", sent, speed: this.pace.speed, leftMs: this.pace.left(this.size) })
    if (now - this.noted > NOTE_MS) this.note()
  }

  private note(): void {
    const url = this.tus.url
    if (!url) return
    this.noted = Date.now()
    const { sent } = this.shown.value
    this.shelf.keep({ key: this.key, name: this.name, path: this.picked.path, size: this.size, sent, url, at: this.noted })
  }

  private succeed(): void {
    this.shelf.forget(this.key)
    this.show({ status: "done", sent: this.size, speed: null, leftMs: null })
    this.ended()
  }

  private fail(error: ApiError): void {
    // What the server has forgotten, nobody can go on with.
    if ([403, 404, 410, 413].includes(error.status)) this.shelf.forget(this.key)
    this.show({ status: "failed", error, speed: null, leftMs: null })
    this.ended()
  }

  private shouldRetry(error: Error | DetailedError): boolean {
    const { status } = problem(error)
    const goesOn = status === 0 || status === 423 || status === 429 || status === 408 || (status >= 500 && status !== 507)
    // 409: it goes on elsewhere than where we thought, which tus finds out by asking.
    const again = goesOn || status === 409
    if (again) {
      this.pace.forget()
      this.show({ status: "reconnecting", speed: null, leftMs: null, error: status === 0 ? null : problem(error) })
    }
    return again
  }

  private show(change: Partial<Shown>): void {
    this.shown.set({ ...this.shown.value, ...change })
  }
}

function problem(error: Error | DetailedError): ApiError {
  const response = error instanceof DetailedError ? error.originalResponse : null
  if (!response || !response.getStatus()) return unreachable(texts.errors.unreachable)
  const header = (name: string) => response.getHeader(name) ?? null
  return fromBody(response.getStatus(), parsed(response.getBody()), { get: header })
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body)
  } catch {
    return null
  }
}
