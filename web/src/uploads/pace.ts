// How fast bytes go, and how long the rest takes, by what went in the last few seconds. Pure but for what it remembers.

const WINDOW_MS = 6_000

export class Pace {
  private samples: { at: number; bytes: number }[] = []

  /** `bytes`: how many have gone in all. */
  note(bytes: number, at: number): void {
    const last = this.samples.at(-1)
    // After a break it may begin again with less.
    if (last && bytes < last.bytes) this.samples = []
    this.samples.push({ at, bytes })
    while (this.samples.length > 2 && at - (this.samples[0]?.at ?? at) > WINDOW_MS) this.samples.shift()
  }

  /** Bytes per second; `null` while it is too early to tell. */
  get speed(): number | null {
    const [first, last] = [this.samples[0], this.samples.at(-1)]
    if (!first || !last || last.at - first.at < 500) return null
    return ((last.bytes - first.bytes) * 1000) / (last.at - first.at)
  }

  /** Milliseconds. */
  left(total: number): number | null {
    const speed = this.speed
    const sent = this.samples.at(-1)?.bytes ?? 0
    return speed && speed > 0 ? ((total - sent) * 1000) / speed : null
  }

  forget(): void {
    this.samples = []
  }
}
