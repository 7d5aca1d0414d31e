// Uploads that have begun, kept in the browser, so that they go on after a reload. An upload's address is the right to go on with it,
// so each person of each organisation has a shelf of their own.
import type { Claims } from "../jwt"
import { Store } from "../store"
import type { Picked } from "./picked"

export interface Remembered {
  key: string
  name: string
  path: string
  size: number
  /** Bytes that were sent when it was last looked at. */
  sent: number
  url: string
  at: number
}

/** The server gives up what is left alone for longer. */
const KEPT_MS = 24 * 3600 * 1000

export class Shelf {
  readonly all: Store<Remembered[]>

  constructor(private readonly place: string) {
    this.all = new Store(read(place))
  }

  static of({ org, sub }: Claims): Shelf {
    return new Shelf(`reelgate-uploads:${org}/${sub}`)
  }

  find(key: string): Remembered | undefined {
    return this.all.value.find((one) => one.key === key)
  }

  keep(one: Remembered): void {
    this.write([...this.all.value.filter((other) => other.key !== one.key), one])
  }

  forget(key: string): void {
    this.write(this.all.value.filter((one) => one.key !== key))
  }

  private write(all: Remembered[]): void {
    this.all.set(all)
    try {
      localStorage.setItem(this.place, JSON.stringify(all))
    } catch {
      // Without room the upload still goes on, as long as the page stays.
    }
  }
}

/** By which a file is recognised when it is dropped again. */
export function keyOf({ file, path }: Picked): string {
  return [path, file.size, file.lastModified, file.type].join("|")
}

function read(place: string): Remembered[] {
  try {
    const all = JSON.parse(localStorage.getItem(place) ?? "[]") as Remembered[]
    return all.filter((one) => Date.now() - one.at < KEPT_MS && typeof one.url === "string")
  } catch {
    return []
  }
}
