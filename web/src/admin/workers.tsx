// Who works on what, by the jobs that are held: a worker without any has nothing to say.
import type { Job } from "../api/types"
import { ago } from "../format"
import { links } from "../place"
import { texts } from "../texts"
import { Empty } from "../ui/empty"
import { Problem } from "../ui/problem"
import { useJobs } from "./jobs"
import { useNames } from "./names"
import { Table } from "./table"
import type { SectionProps } from "./section"

const RUNNING = ["running"]

export function Workers({ session, live }: SectionProps) {
  const { value, error, again } = useJobs(session, live, RUNNING)
  const jobs = value ?? []
  const name = useNames(session, jobs.map((job) => job.file_id))
  const words = texts.admin.columns
  if (error) return <Problem error={error} again={again} />
  const workers = byWorker(jobs)
  if (value && workers.size === 0) return <Empty icon="film" title={texts.admin.noWorkers} />
  return (
    <Table name={texts.admin.workers} columns={[words.worker, words.jobs, words.seen]}>
      {[...workers].map(([worker, held]) => (
        <tr key={worker}>
          <th scope="row">
            <code>{worker}</code>
          </th>
          <td>
            {held.map((job) => (
              <div key={job.id}>
                <a href={links.file(job.file_id)}>{name(job.file_id)}</a>
              </div>
            ))}
          </td>
          <td>{lastSeen(held)}</td>
        </tr>
      ))}
    </Table>
  )
}

function byWorker(jobs: Job[]): Map<string, Job[]> {
  const workers = new Map<string, Job[]>()
  for (const job of jobs) {
    if (job.worker) workers.set(job.worker, [...(workers.get(job.worker) ?? []), job])
  }
  return workers
}

function lastSeen(jobs: Job[]): string {
  const latest = jobs.map((job) => job.heartbeat_at).filter((time) => time !== null).sort().at(-1)
  return latest ? ago(latest) : texts.unknown
}
