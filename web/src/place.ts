// Where on the page somebody is: what stands behind `#`, which never leaves the browser, so a shared token may stand there.
import { Store } from "./store"

export type Place =
  | { view: "library" }
  | { view: "trash" }
  | { view: "admin"; section: string }
  | { view: "file"; id: string }
  | { view: "watch"; id: string; token: string }

export function parse(hash: string): Place {
  const [view, first, second] = hash.replace(/^#\/?/, "").split("/")
  if (view === "file" && first) return { view, id: first }
  const token = view === "watch" && second ? decoded(second) : ""
  if (view === "watch" && first && token) return { view, id: first, token }
  if (view === "admin") return { view, section: first || "queue" }
  return view === "trash" ? { view } : { view: "library" }
}

/** Empty for what is no encoding of anything. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return ""
  }
}

export const links = {
  library: "#/",
  trash: "#/trash",
  admin: (section = "queue") => `#/admin/${section}`,
  file: (id: string) => `#/file/${id}`,
  watch: (id: string, token: string) => `#/watch/${id}/${encodeURIComponent(token)}`,
}

export const place = new Store<Place>(parse(location.hash))
addEventListener("hashchange", () => place.set(parse(location.hash)))

export function go(link: string): void {
  location.hash = link
}
