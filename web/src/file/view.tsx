// One file: it plays, and says what is known about it.
import { useCallback, useEffect, useState } from "preact/hooks"
import type { ExplainedJob, FileRecord } from "../api/types"
import { remove } from "../library/bulk"
import { useProgress } from "../library/progress"
import type { Live } from "../live"
import { go, links } from "../place"
import type { Session } from "../session"
import { mayAdminister } from "../session"
import { texts } from "../texts"
import { useAsked } from "../ui/asked"
import { Empty } from "../ui/empty"
import { Heading } from "../ui/heading"
import { Icon } from "../ui/icon"
import { Problem } from "../ui/problem"
import { Actions } from "./actions"
import { Captions } from "./captions"
import { Cost } from "./cost"
import { Details } from "./details"
import { Facts } from "./facts"
import { useFile } from "./follow"
import { Processing } from "./processing"
import { Renditions } from "./renditions"
import { Stage } from "./stage"

export function FilePage({ session, live, id }: { session: Session; live: Live; id: string }) {
  const asked = useFile(session, live, id)
  const file = asked.value
  if (asked.error?.status === 404 || asked.error?.status === 422) {
    return (
      <main id="main">
        <Back />
        <Heading title={texts.file.notFound} />
        <Empty icon="film" hint={texts.file.notFoundHint} />
      </main>
    )
  }
  return (
    <main id="main" class="file">
      <Back />
      {asked.error && <Problem error={asked.error} again={asked.again} />}
      {!file && !asked.error && <p class="soft">{texts.loading}</p>}
      {file && <Shown session={session} live={live} file={file} again={asked.again} put={asked.put} />}
    </main>
  )
}

function Back() {
  return (
    <a class="back" href={links.library}>
      <Icon name="back" /> {texts.file.back}
    </a>
  )
}

interface Props {
  session: Session
  live: Live
  file: FileRecord
  again: () => void
  put: (file: FileRecord) => void
}

function Shown({ session, live, file, again, put }: Props) {
  const progress = useProgress(live).get(file.id)
  const { job, known } = useJob(session, file)
  const mine = file.owner_id === session.who.sub || mayAdminister(session.who)
  // What is being deleted is played no longer: its player would ask for what is gone.
  const [leaves, setLeaves] = useState(false)
  const gone = useCallback(async () => {
    const done = await remove(session, [file], { drop: () => setLeaves(true), again: () => undefined })
    if (done) go(links.library)
    else setLeaves(false)
  }, [session, file.id])
  return (
    <>
      {leaves ? <div class="stage" /> : <Stage session={session} file={file} progress={progress} />}
      <div class="title">
        <Heading title={file.filename} />
        <Actions session={session} file={file} mine={mine} again={again} remove={() => void gone()} />
      </div>
      <div class="columns">
        <div>
          <section class="panel">
            <h2>{texts.file.renditions}</h2>
            <Renditions file={file} plan={job?.plan ?? null} rungs={progress?.rungs ?? []} />
          </section>
          <section class="panel">
            <h2>{texts.file.processing}</h2>
            <Warnings file={file} />
            {job ? <Processing job={job} /> : <p class="soft">{mine ? (known ? texts.file.noAttempts : texts.loading) : texts.file.notOwner}</p>}
          </section>
          {mine && file.state !== "uploading" && file.kind === "video" && (
            <section class="panel">
              <h2>{texts.file.captions}</h2>
              <Captions session={session} file={file} changed={again} />
            </section>
          )}
        </div>
        <div>
          <section class="panel">
            <h2>{texts.file.facts}</h2>
            <Facts file={file} />
          </section>
          {file.state !== "uploading" && !leaves && !file.trashed_at && (
            <section class="panel">
              <h2>{texts.file.costs}</h2>
              <Cost session={session} file={file} />
            </section>
          )}
          {mine && (
            <section class="panel">
              <h2>{texts.file.details}</h2>
              <Details session={session} file={file} changed={put} />
            </section>
          )}
        </div>
      </div>
    </>
  )
}

function Warnings({ file }: { file: FileRecord }) {
  const warnings = file.media?.warnings ?? []
  if (warnings.length === 0) return null
  return (
    <div class="note">
      <h3>{texts.file.warnings}</h3>
      <ul>
        {warnings.map((warning) => (
          <li key={warning.code}>{warning.message}</li>
        ))}
      </ul>
    </div>
  )
}

interface Explanation {
  job: ExplainedJob | null
  /** Whether there is an answer yet. */
  known: boolean
}

/** How it is processed, which only its owner and admins may see; looked at again whenever the file has moved on. */
function useJob(session: Session, file: FileRecord): Explanation {
  const mine = file.owner_id === session.who.sub || mayAdminister(session.who)
  const [told, setTold] = useState<Explanation>({ job: null, known: false })
  const latest = useAsked(async () => ({ job: mine ? await explain(session, file.id) : null, known: true }), [session, file.id, mine])
  useEffect(() => latest.again(), [file.state, file.renditions.length, file.updated_at])
  useEffect(() => {
    if (latest.value) setTold(latest.value)
  }, [latest.value])
  return told
}

async function explain(session: Session, file: string): Promise<ExplainedJob | null> {
  const { jobs } = await session.client.jobs({ file_id: file, limit: 10 })
  const job = jobs.find((one) => one.kind === "process")
  return job ? session.client.job(job.id) : null
}
