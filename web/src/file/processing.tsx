// How a file came to be what it is: what was decided and why, and how often it was tried.
import type { Attempt, ExplainedJob } from "../api/types"
import { size, span, when } from "../format"
import { texts } from "../texts"
import { StateChip } from "../ui/state-chip"
import { choices } from "./plan"
import { Quality } from "./quality"

export function Processing({ job }: { job: ExplainedJob }) {
  const decided = choices(job.plan)
  return (
    <>
      {decided.length > 0 && (
        <>
          <h3>{texts.file.plan}</h3>
          <ul class="decisions">
            {decided.map(({ what, why }) => (
              <li key={what}>
                <strong>{what}</strong> <span class="soft">{why}</span>
              </li>
            ))}
          </ul>
        </>
      )}
      <Quality plan={job.plan} />
      <h3>{texts.file.attempts}</h3>
      {job.attempts.length === 0 && <p class="soft">{texts.file.noAttempts}</p>}
      <ol class="attempts">
        {job.attempts.map((attempt) => (
          <One key={attempt.attempt} attempt={attempt} speed={attempt.ended_at ? null : job.speed} left={attempt.ended_at ? null : job.time_left_ms} />
        ))}
      </ol>
    </>
  )
}

function One({ attempt, speed, left }: { attempt: Attempt; speed: number | null; left: number | null }) {
  const { outcome, worker, started_at, ended_at, error, peak_memory_bytes, last_words } = attempt
  const lasted = ended_at ? span(Date.parse(ended_at) - Date.parse(started_at)) : null
  const facts = [when(started_at), lasted, texts.file.attemptBy(worker), peak_memory_bytes && texts.file.memory(size(peak_memory_bytes))]
  if (speed) facts.push(texts.file.speed(speed))
  if (left) facts.push(texts.library.left(span(left)))
  return (
    <li>
      <StateChip state={chip(outcome)} word={outcome ? (texts.file.outcomes[outcome] ?? outcome) : texts.file.running} />{" "}
      <span class="soft small">{facts.filter(Boolean).join(" · ")}</span>
      {error && (
        <p class="wrong">
          {error.message} <span class="code">{texts.errors.code(error.code)}</span>
        </p>
      )}
      {last_words && (
        <details>
          <summary>{texts.file.lastWords}</summary>
          <pre tabIndex={0}>{last_words}</pre>
        </details>
      )}
    </li>
  )
}

function chip(outcome: string | null): string {
  return outcome === "finished" ? "ready" : outcome === null ? "processing" : outcome === "failed" || outcome === "lost" ? "failed" : "staged"
}
