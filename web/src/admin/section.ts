// What the sections of administration have in common.
import type { Live } from "../live"
import type { Session } from "../session"

export interface SectionProps {
  session: Session
  live: Live
}

/** States of jobs, as the chips of files know them. */
export const TONES: Record<string, string> = { running: "processing", queued: "staged", done: "ready", dead: "failed", cancelled: "staged" }
