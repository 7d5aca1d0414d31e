// What happens at the server, as it happens. Whoever listens is connected again from the last event that came, so that none is missed and
// none comes twice; progress is told to whoever listens just then, and has no id.
import { ReelgateError } from "./error.js"
import type { Ask } from "./http.js"
import { Cutter } from "./sse.js"

export interface Event<Data = Record<string, unknown>> {
  id: string | null
  type: string
  file_id: string | null
  created_at: string
  data: Data
}

export interface EventsWish {
  /** Of this file alone. */
  file?: string
  /** Goes on behind this one. */
  lastEventId?: string
  onEvent: (event: Event) => void
  /** What has happened meanwhile is not known any more: everything is to be read anew. */
  onReset?: () => void
  /** Connected, or not for now. */
  onState?: (live: boolean) => void
  /** It will not be tried again: the caller may not listen. */
  onError?: (error: ReelgateError) => void
  signal?: AbortSignal
}

const FIRST_WAIT_MS = 500
const LONGEST_WAIT_MS = 15_000
const PATH = "/v1/events"
/** Names that the browser's own reader has to be told. */
const TYPES = [
  "message",
  "file.staged",
  "file.processing",
  "file.ready",
  "file.completed",
  "file.failed",
  "file.updated",
  "file.trashed",
  "file.restored",
  "file.deleted",
  "rendition.ready",
  "upload.progress",
  "job.queued",
  "job.progress",
  "reset",
]

/** Signed in by header, which the browser's own reader cannot: `fetch` reads the stream. */
export class Listener {
  private readonly stopped = new AbortController()
  private last: string | undefined

  constructor(
    private readonly answer: (path: string, ask: Ask) => Promise<Response>,
    private readonly wish: EventsWish,
  ) {
    this.last = wish.lastEventId
    wish.signal?.addEventListener("abort", () => this.close(), { once: true })
    if (wish.signal?.aborted) this.close()
    void this.run()
  }

  /** To be kept by whoever wants to go on later. */
  get lastEventId(): string | undefined {
    return this.last
  }

  close(): void {
    this.stopped.abort()
  }

  private async run(): Promise<void> {
    let wait = FIRST_WAIT_MS
    while (!this.stopped.signal.aborted) {
      try {
        await this.listen(() => {
          wait = FIRST_WAIT_MS
        })
      } catch (error) {
        if (this.stopped.signal.aborted) break
        if (error instanceof ReelgateError && isFinal(error)) {
          this.wish.onError?.(error)
          break
        }
      }
      this.wish.onState?.(false)
      await this.pause(wait)
      wait = Math.min(wait * 2, LONGEST_WAIT_MS)
    }
    this.wish.onState?.(false)
  }

  private async listen(opened: () => void): Promise<void> {
    const headers: Record<string, string> = { Accept: "text/event-stream" }
    if (this.last !== undefined) headers["Last-Event-ID"] = this.last
    const answer = await this.answer(PATH, { headers, query: { file_id: this.wish.file }, signal: this.stopped.signal })
    if (!answer.body) return
    opened()
    this.wish.onState?.(true)
    const [reader, decoder, cutter] = [answer.body.getReader(), new TextDecoder(), new Cutter()]
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      for (const { id, type, data } of cutter.take(decoder.decode(value, { stream: true }))) {
        if (id !== null) this.last = id
        tell(type, data, this.wish)
      }
    }
  }

  private pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms)
      this.stopped.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true })
    })
  }
}

/** The browser's own reader, with a stream token of the scope `events` in the address: for pages that hold no JWT. It connects again by itself,
 *  as long as the token lives; then it is opened anew with another one. */
export class TokenListener {
  private source: EventSource | null = null
  private last: string | undefined
  private closed = false

  constructor(
    private readonly address: (query: Record<string, string | undefined>) => Promise<string>,
    private readonly wish: EventsWish,
  ) {
    this.last = wish.lastEventId
    wish.signal?.addEventListener("abort", () => this.close(), { once: true })
    void this.open(FIRST_WAIT_MS)
  }

  get lastEventId(): string | undefined {
    return this.last
  }

  close(): void {
    this.closed = true
    this.source?.close()
  }

  private async open(wait: number): Promise<void> {
    if (this.closed || this.wish.signal?.aborted) return
    const again = (wait: number) => setTimeout(() => void this.open(Math.min(wait * 2, LONGEST_WAIT_MS)), wait)
    try {
      const address = await this.address({ file_id: this.wish.file, last_event_id: this.last })
      if (this.closed) return
      const source = new EventSource(address)
      this.source = source
      let waits = wait
      source.onopen = () => {
        waits = FIRST_WAIT_MS
        this.wish.onState?.(true)
      }
      source.onerror = () => {
        this.wish.onState?.(false)
        // Else it connects again by itself.
        if (source.readyState === EventSource.CLOSED) again(waits)
      }
      for (const type of TYPES) {
        source.addEventListener(type, ({ data, lastEventId }) => {
          if (lastEventId) this.last = lastEventId
          tell(type, data, this.wish)
        })
      }
    } catch (error) {
      if (error instanceof ReelgateError && isFinal(error)) this.wish.onError?.(error)
      else again(wait)
    }
  }
}

function isFinal(error: ReelgateError): boolean {
  return error.status >= 400 && error.status < 500 && error.status !== 429
}

function tell(type: string, data: string, wish: EventsWish): void {
  if (data === "") return
  if (type === "reset") {
    wish.onReset?.()
    return
  }
  let event: Event
  try {
    event = JSON.parse(data) as Event
  } catch {
    return
  }
  wish.onEvent(event)
}
