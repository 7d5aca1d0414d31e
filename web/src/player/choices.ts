// Qualities and languages in the shape in which the controls look for them at a media element: lists that tell of their changes, as
// browsers have them for audio tracks (HTML, 4.8.11.10) and the media-tracks proposal has them for renditions.

/** A list by number with events of its own. */
export class Choices<T> extends Array<T> {
  static override get [Symbol.species]() {
    return Array
  }

  readonly #target = new EventTarget()

  addEventListener(...given: Parameters<EventTarget["addEventListener"]>): void {
    this.#target.addEventListener(...given)
  }

  removeEventListener(...given: Parameters<EventTarget["removeEventListener"]>): void {
    this.#target.removeEventListener(...given)
  }

  tell(event: string): void {
    this.#target.dispatchEvent(new Event(event))
  }

  replace(items: T[]): void {
    this.splice(0, this.length, ...items)
  }
}

export interface Quality {
  id: string
  width: number
  height: number
  bitrate: number
}

/** -1: whatever the connection allows. */
export class Qualities extends Choices<Quality> {
  #selected = -1
  /** Called when a person chooses. */
  chosen: (index: number) => void = () => undefined

  get selectedIndex(): number {
    return this.#selected
  }

  set selectedIndex(index: number) {
    this.#selected = index
    this.chosen(index)
    this.tell("change")
  }

  offer(qualities: Quality[]): void {
    this.replace(qualities)
    this.tell("addrendition")
  }
}

export class Language {
  readonly kind = "main"
  /** Called when a person chooses. */
  chosen: () => void = () => undefined

  constructor(
    readonly id: string,
    readonly label: string,
    readonly language: string,
    private isOn: boolean,
  ) {}

  get enabled(): boolean {
    return this.isOn
  }

  set enabled(on: boolean) {
    if (on && !this.isOn) this.chosen()
    this.isOn = on
  }

  /** It is heard already. */
  show(on: boolean): void {
    this.isOn = on
  }
}

export class Languages extends Choices<Language> {
  offer(languages: Language[]): void {
    this.replace(languages)
    this.tell("addtrack")
  }
}
