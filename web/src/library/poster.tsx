// The still of a file, or a sign of its kind. Its address is made once, so that a new token does not load it anew.
import { useEffect, useState } from "preact/hooks"
import { parameters } from "../api/client"
import type { FileRecord } from "../api/types"
import type { Session } from "../session"
import { Icon, kindIcon } from "../ui/icon"

export function Poster({ session, file }: { session: Session; file: FileRecord }) {
  const url = still(file)
  const [src, setSrc] = useState<string | null>(null)
  useEffect(() => {
    let gone = false
    setSrc(null)
    if (url) {
      void session.tokens.image().then(
        (token) => gone || setSrc(`${url}${url.includes("?") ? "&" : "?"}${parameters({ token })}`),
        () => undefined,
      )
    }
    return () => {
      gone = true
    }
  }, [session, url])
  if (src) return <img src={src} alt="" loading="lazy" decoding="async" onError={() => setSrc(null)} />
  return (
    <span class="no-poster">
      <Icon name={kindIcon(file.kind)} />
    </span>
  )
}

function still(file: FileRecord): string | null {
  const poster = file.renditions.find((rendition) => rendition.kind === "poster")
  return poster?.url ?? null
}
