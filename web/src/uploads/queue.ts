// All uploads of this tab: a few at a time, in the order they were given.
import type { Session } from "../session"
import { Store } from "../store"
import type { Picked } from "./picked"
import { keyOf, Shelf } from "./remembered"
import { Upload } from "./upload"

const AT_ONCE = 3

export class Uploads {
  readonly all = new Store<Upload[]>([])
  readonly shelf: Shelf
  /** Counts what has ended, so that lists look again. */
  readonly finished = new Store(0)

  constructor(private readonly session: Session) {
    this.shelf = Shelf.of(session.who)
  }

  /** Those that go on where they were interrupted. */
  add(picked: Picked[]): Picked[] {
    const known = picked.filter((one) => this.shelf.find(keyOf(one)))
    const fresh = picked.map((one) => new Upload(one, this.shelf, this.session.client.jwt, () => this.turn()))
    this.all.set([...fresh, ...this.all.value])
    this.turn()
    return known
  }

  resume(upload: Upload): void {
    upload.wait()
    this.turn()
  }

  async cancel(upload: Upload): Promise<void> {
    this.all.set(this.all.value.filter((one) => one !== upload))
    await upload.cancel()
  }

  clear(): void {
    this.all.set(this.all.value.filter((upload) => upload.shown.value.status !== "done"))
  }

  get areActive(): boolean {
    return this.all.value.some((upload) => upload.isActive)
  }

  /** Sign-out: nothing of this person goes on. */
  stop(): void {
    for (const upload of this.all.value) if (upload.isActive) void upload.pause()
    this.all.set([])
  }

  private turn(): void {
    this.finished.set(this.finished.value + 1)
    const free = AT_ONCE - this.all.value.filter((upload) => upload.isActive).length
    // The oldest stands last.
    const waiting = this.all.value.filter((upload) => upload.shown.value.status === "waiting").reverse()
    for (const upload of waiting.slice(0, Math.max(0, free))) upload.start()
  }
}
