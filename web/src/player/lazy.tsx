// The player is the heaviest part of the page, so it comes only when something is played.
import { useEffect, useState } from "preact/hooks"
import { texts } from "../texts"
import type { PlayerProps } from "./player"

type Player = (typeof import("./player"))["Player"]
let loading: Promise<Player> | null = null

export function LazyPlayer(props: PlayerProps) {
  const [Loaded, setLoaded] = useState<Player | null>(null)
  const [failed, setFailed] = useState(false)
  useEffect(() => {
    loading ??= import("./player").then((module) => module.Player)
    loading.then(
      (player) => setLoaded(() => player),
      () => {
        loading = null
        setFailed(true)
      },
    )
  }, [])
  if (Loaded) return <Loaded {...props} />
  return (
    <div class="player waits" aria-busy={!failed}>
      <p>{failed ? texts.player.failed : texts.player.loading}</p>
    </div>
  )
}
