// What runs and what waits.
import type { Job } from "../api/types"
import { ago, percent } from "../format"
import { links } from "../place"
import { texts } from "../texts"
import { asError } from "../ui/asked"
import { Bar } from "../ui/bar"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Problem } from "../ui/problem"
import { StateChip } from "../ui/state-chip"
import { say } from "../ui/toasts"
import { useJobs } from "./jobs"
import { useNames } from "./names"
import { TONES, type SectionProps } from "./section"
import { Table } from "./table"

const OPEN = ["running", "split", "queued"]

export function Queue({ session, live }: SectionProps) {
  const { value, error, again } = useJobs(session, live, OPEN)
  const jobs = value ?? []
  const name = useNames(session, jobs.map((job) => job.file_id))
  const words = texts.admin.columns
  const cancel = (job: Job) =>
    session.client.cancelJob(job.id).then(
      () => {
        say(texts.admin.cancelled)
        again()
      },
      (problem: unknown) => say(asError(problem).message),
    )
  if (error) return <Problem error={error} again={again} />
  if (value && jobs.length === 0) return <Empty icon="check" title={texts.admin.noJobs} />
  return (
    <Table name={texts.admin.queue} columns={[words.file, words.job, words.state, words.progress, words.attempts, words.since, words.actions]}>
      {jobs.map((job) => (
        <tr key={job.id}>
          <th scope="row">
            <a href={links.file(job.file_id)}>{name(job.file_id)}</a>
          </th>
          <td>{texts.admin.jobKinds[job.kind] ?? job.kind}</td>
          <td>
            <StateChip state={TONES[job.state] ?? ""} word={texts.admin.jobStates[job.state] ?? job.state} />
          </td>
          <td>
            <Bar value={job.progress} name={name(job.file_id)} tone="processing" />
            <span class="small">{texts.library.percent(percent(job.progress))}</span>
          </td>
          <td>{job.attempt}</td>
          <td>{ago(job.created_at)}</td>
          <td>
            <Button kind="bad" name={texts.admin.cancelJob(name(job.file_id))} onClick={() => void cancel(job)}>
              {texts.cancel}
            </Button>
          </td>
        </tr>
      ))}
    </Table>
  )
}
