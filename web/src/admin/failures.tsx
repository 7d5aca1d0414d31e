// What was given up, why, and another try.
import type { Job } from "../api/types"
import { advice } from "../advice"
import { ago } from "../format"
import { links } from "../place"
import { texts } from "../texts"
import { asError } from "../ui/asked"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Problem } from "../ui/problem"
import { StateChip } from "../ui/state-chip"
import { say } from "../ui/toasts"
import { useJobs } from "./jobs"
import { useNames } from "./names"
import { Table } from "./table"
import { TONES, type SectionProps } from "./section"

const OVER = ["dead", "cancelled"]

export function Failures({ session, live }: SectionProps) {
  const { value, error, again } = useJobs(session, live, OVER)
  const jobs = value ?? []
  const name = useNames(session, jobs.map((job) => job.file_id))
  const words = texts.admin.columns
  const retry = (job: Job) =>
    session.client.retryJob(job.id).then(
      () => {
        say(texts.admin.retried)
        again()
      },
      (problem: unknown) => say(asError(problem).message),
    )
  if (error) return <Problem error={error} again={again} />
  if (value && jobs.length === 0) return <Empty icon="check" title={texts.admin.noFailures} />
  return (
    <Table name={texts.admin.failures} columns={[words.file, words.state, words.error, words.attempts, words.since, words.actions]}>
      {jobs.map((job) => (
        <tr key={job.id}>
          <th scope="row">
            <a href={links.file(job.file_id)}>{name(job.file_id)}</a>
          </th>
          <td>
            <StateChip state={TONES[job.state] ?? ""} word={texts.admin.jobStates[job.state] ?? job.state} />
          </td>
          <td class="says">
            {job.last_error && (
              <>
                {job.last_error.message} <span class="soft">{advice(job.last_error.code)}</span>{" "}
                <span class="code">{texts.errors.code(job.last_error.code)}</span>
              </>
            )}
          </td>
          <td>{job.attempt}</td>
          <td>{ago(job.finished_at ?? job.created_at)}</td>
          <td>
            <Button name={texts.admin.retryJob(name(job.file_id))} onClick={() => void retry(job)}>
              {texts.retry}
            </Button>
          </td>
        </tr>
      ))}
    </Table>
  )
}
