// What a file takes: in the store, of workers' time, and for how many views.
import type { FileCost, FileRecord } from "../api/types"
import { size, span } from "../format"
import type { Session } from "../session"
import { texts } from "../texts"
import { useAsked } from "../ui/asked"

export function Cost({ session, file }: { session: Session; file: FileRecord }) {
  // Asked again whenever there is something more, and when all is there; not with each step of the progress.
  const { value } = useAsked(() => session.client.cost(file.id), [session, file.id, file.renditions.length, file.progress === 1])
  if (!value) return <p class="soft">{texts.loading}</p>
  return (
    <dl class="facts">
      {lines(value).map(([name, said]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{said}</dd>
        </div>
      ))}
    </dl>
  )
}

function lines(cost: FileCost): [string, string][] {
  const words = texts.file.cost
  const earned = cost.renditions.filter((rendition) => rendition.earned).map((rendition) => rendition.name)
  const shown: [string, string][] = [
    [words.stored, size(cost.stored_bytes)],
    [words.work, span(cost.worker_ms)],
  ]
  if (cost.views.total > 0) shown.push([words.views, String(cost.views.total)])
  if (earned.length > 0) shown.push([words.earned, earned.join(", ")])
  return shown
}
