// The small pictures of a film, for whoever rests on its card. Fetched when first wanted, and kept.
import { parameters } from "../api/client"
import type { Session } from "../session"

export interface Storyboard {
  sheets: string[]
  tile_width: number
  tile_height: number
  tiles: { start_ms: number; sheet: number; x: number; y: number }[]
}

const known = new Map<string, Promise<Storyboard | null>>()

export function storyboard(session: Session, file: string): Promise<Storyboard | null> {
  let promise = known.get(file)
  if (!promise) {
    promise = fetchStoryboard(session, file).catch(() => {
      known.delete(file)
      return null
    })
    known.set(file, promise)
  }
  return promise
}

async function fetchStoryboard(session: Session, file: string): Promise<Storyboard | null> {
  const token = await session.tokens.image()
  const answer = await fetch(`/v1/files/${file}/storyboard.json?${parameters({ token })}`)
  if (!answer.ok) return null
  const board = (await answer.json()) as Storyboard
  // Addresses are relative to the document.
  const base = new URL(`/v1/files/${file}/storyboard.json`, location.href)
  const sheets = board.sheets.map((sheet) => new URL(sheet, base).href)
  return board.tiles.length > 0 ? { ...board, sheets } : null
}
