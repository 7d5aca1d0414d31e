// What is done with several files at once.
import type { FileRecord } from "../api/types"
import type { Session } from "../session"
import { texts } from "../texts"
import { ask } from "../ui/ask"
import { asError } from "../ui/asked"
import { say } from "../ui/toasts"

interface Shown {
  drop: (ids: Set<string>) => void
  again: () => void
}

/** As many as the server takes at once. */
const AT_ONCE = 200

/** Away from the list; where the server has a trash it can be taken back. Says whether it was done. */
export async function remove(session: Session, files: FileRecord[], shown: Shown): Promise<boolean> {
  if (!(await ask(texts.confirm.deleteNow(files.length), texts.confirm.yes))) return false
  return gone(session, files, shown, false)
}

export async function removeForGood(session: Session, files: FileRecord[], shown: Shown): Promise<boolean> {
  if (!(await ask(texts.confirm.deleteForGood(files.length), texts.confirm.yes))) return false
  return gone(session, files, shown, true)
}

async function gone(session: Session, files: FileRecord[], shown: Shown, permanent: boolean): Promise<boolean> {
  shown.drop(new Set(files.map((file) => file.id)))
  try {
    const results = []
    for (let from = 0; from < files.length; from += AT_ONCE) {
      const ids = files.slice(from, from + AT_ONCE).map((file) => file.id)
      results.push(...(await session.client.remove(ids, permanent)).results)
    }
    const trashed = results.filter((result) => result.trashed).map((result) => result.id)
    const deleted = results.filter((result) => result.deleted && !result.trashed)
    const refused = results.find((result) => result.error)
    if (trashed.length > 0) {
      say(texts.trash.moved(trashed.length), { name: texts.trash.undo, run: () => void restore(session, trashed, shown) })
    }
    if (deleted.length > 0) say(texts.trash.deleted(deleted.length))
    if (refused?.error) say(refused.error.message)
    return !refused
  } catch (problem) {
    say(asError(problem).message)
    return false
  } finally {
    shown.again()
  }
}

export async function restore(session: Session, ids: string[], shown: Shown): Promise<void> {
  try {
    for (const id of ids) await session.client.restore(id)
    say(texts.trash.restored(ids.length))
  } catch (problem) {
    say(asError(problem).message)
  }
  shown.again()
}
