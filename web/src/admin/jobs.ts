// Jobs of some states, looked at again every few seconds and whenever something happens.
import { useEffect } from "preact/hooks"
import type { Job } from "../api/types"
import type { Live } from "../live"
import type { Session } from "../session"
import { type Asked, useAsked } from "../ui/asked"

const EVERY_MS = 3_000

export function useJobs(session: Session, live: Live, states: string[]): Asked<Job[]> {
  const asked = useAsked(() => load(session, states), [session, states.join()], EVERY_MS)
  const { again } = asked
  useEffect(() => live.follow((news) => void (news.type.startsWith("file.") && again())), [live, again])
  return asked
}

async function load(session: Session, states: string[]): Promise<Job[]> {
  const pages = await Promise.all(states.map((state) => session.client.jobs({ state, limit: 100 })))
  return pages.flatMap((page) => page.jobs)
}
