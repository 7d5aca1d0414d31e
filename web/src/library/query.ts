// What somebody looks for in the library. Kept in the tab, so that coming back from a film shows the same list.
import type { FileQuery } from "../api/client"

export interface Wish {
  text: string
  state: string
  kind: string
  tag: string
  sort: string
}

const KEY = "library"
export const ANYTHING: Wish = { text: "", state: "", kind: "", tag: "", sort: "-created_at" }

export function kept(): Wish {
  try {
    return { ...ANYTHING, ...(JSON.parse(sessionStorage.getItem(KEY) ?? "{}") as Partial<Wish>) }
  } catch {
    return ANYTHING
  }
}

export function keep(wish: Wish): void {
  sessionStorage.setItem(KEY, JSON.stringify(wish))
}

export function isNarrow(wish: Wish): boolean {
  return Boolean(wish.text || wish.state || wish.kind || wish.tag)
}

export function toQuery({ text, state, kind, tag, sort }: Wish): FileQuery {
  return { q: text.trim(), state, kind, tag: tag.trim(), sort: sort === ANYTHING.sort ? "" : sort }
}
