// What happens at the server, as it happens: server-sent events, read by hand, because the browser's own reader can neither sign in
// nor say why it was refused. Where there are none, whoever follows asks by himself now and then (`isLive` says which).
import { Store } from "./store"

/** `reset`: more was missed than the server remembers; whoever shows anything asks for it anew. */
export interface News {
  type: string
  file_id?: string | null
  data: Record<string, unknown>
}

const FIRST_WAIT_MS = 1_000
const LONGEST_WAIT_MS = 15_000

export class Live {
  readonly isLive = new Store(false)
  private readonly followers = new Set<(news: News) => void>()
  private readonly stopped = new AbortController()
  private last: string | null = null

  constructor(private readonly jwt: string) {
    void this.run()
  }

  follow(follower: (news: News) => void): () => void {
    this.followers.add(follower)
    return () => void this.followers.delete(follower)
  }

  stop(): void {
    this.stopped.abort()
  }

  private async run(): Promise<void> {
    for (let wait = FIRST_WAIT_MS; !this.stopped.signal.aborted; wait = Math.min(wait * 2, LONGEST_WAIT_MS)) {
      const status = await this.listen(() => {
        wait = FIRST_WAIT_MS
      }).catch(() => 0)
      this.isLive.set(false)
      // A server without events will not get them, and one that refuses the sign-in says so elsewhere.
      if ([401, 403, 404, 405].includes(status)) return
      await new Promise((resolve) => setTimeout(resolve, wait))
    }
  }

  private async listen(opened: () => void): Promise<number> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.jwt}`, Accept: "text/event-stream" }
    if (this.last) headers["Last-Event-ID"] = this.last
    const answer = await fetch("/v1/events", { headers, signal: this.stopped.signal })
    if (!answer.ok || !answer.body) return answer.status
    opened()
    this.isLive.set(true)
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader()
    const events = new Events()
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return answer.status
      for (const { id, data } of events.take(value)) this.tell(id, data)
    }
  }

  /** A block without data says how far one has heard, and nothing else. */
  private tell(id: string | null, data: string): void {
    if (id) this.last = id
    const news = data ? parsed(data) : null
    if (news) for (const follower of [...this.followers]) follower(news)
  }
}

/** Cuts a stream of text into events (HTML, 9.2.6). */
export class Events {
  private rest = ""

  take(text: string): { id: string | null; data: string }[] {
    const all = this.rest + text
    // Half of a line's end may still be on its way.
    const whole = all.endsWith("\r") ? all.slice(0, -1) : all
    const blocks = whole.replaceAll("\r\n", "\n").split("\n\n")
    this.rest = (blocks.pop() ?? "") + all.slice(whole.length)
    return blocks.map(event)
  }
}

function event(block: string): { id: string | null; data: string } {
  const lines = block.split("\n")
  const field = (name: string) => lines.filter((line) => line.startsWith(`${name}:`)).map((line) => line.slice(name.length + 1).replace(/^ /, ""))
  return { id: field("id").at(-1) ?? null, data: field("data").join("\n") }
}

function parsed(data: string): News | null {
  try {
    return JSON.parse(data) as News
  } catch {
    return null
  }
}
