// What moves on a card while somebody rests on it: the film in small pictures, and how far in one is.
import { useEffect, useState } from "preact/hooks"
import type { Session } from "../session"
import { type Storyboard, storyboard } from "./storyboard"

const STEP_MS = 500

export function HoverPreview({ session, file }: { session: Session; file: string }) {
  const [board, setBoard] = useState<Storyboard | null>(null)
  const [number, setNumber] = useState(0)
  useEffect(() => {
    let gone = false
    void storyboard(session, file).then((found) => gone || setBoard(found))
    return () => {
      gone = true
    }
  }, [session, file])
  useEffect(() => {
    if (!board || matchMedia("(prefers-reduced-motion: reduce)").matches) return
    const timer = setInterval(() => setNumber((n) => (n + 1) % board.tiles.length), STEP_MS)
    return () => clearInterval(timer)
  }, [board])
  const tile = board?.tiles[number]
  if (!board || !tile) return null
  return (
    <div class="hover-preview" aria-hidden="true">
      <svg viewBox={`${tile.x} ${tile.y} ${board.tile_width} ${board.tile_height}`} preserveAspectRatio="xMidYMid slice">
        <image href={board.sheets[tile.sheet]} />
      </svg>
      <div class="how-far" style={{ width: `${((number + 1) / board.tiles.length) * 100}%` }} />
    </div>
  )
}
