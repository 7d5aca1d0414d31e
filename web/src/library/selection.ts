// Which files are selected. Those that are not shown any more are not selected any more.
import { useMemo, useState } from "preact/hooks"
import type { FileRecord } from "../api/types"

export interface Selection {
  chosen: FileRecord[]
  has: (id: string) => boolean
  set: (id: string, on: boolean) => void
  all: () => void
  none: () => void
}

export function useSelection(files: FileRecord[]): Selection {
  const [ids, setIds] = useState<ReadonlySet<string>>(new Set())
  return useMemo(() => {
    const chosen = files.filter((file) => ids.has(file.id))
    return {
      chosen,
      has: (id) => ids.has(id),
      set: (id, on) => {
        const changed = new Set(ids)
        if (on) changed.add(id)
        else changed.delete(id)
        setIds(changed)
      },
      all: () => setIds(new Set(files.map((file) => file.id))),
      none: () => setIds(new Set()),
    }
  }, [files, ids])
}
