// What the organisation has stored, and how much it may.
import { size } from "../format"
import { texts } from "../texts"
import { useAsked } from "../ui/asked"
import { Bar } from "../ui/bar"
import { Problem } from "../ui/problem"
import type { SectionProps } from "./section"

const EVERY_MS = 10_000

export function Storage({ session }: SectionProps) {
  const { value, error, again } = useAsked(() => session.client.usage(), [session], EVERY_MS)
  if (error) return <Problem error={error} again={again} />
  if (!value) return <p class="soft">{texts.loading}</p>
  const { bytes, files, uploads, quota } = value
  return (
    <div class="meters">
      <Meter name={texts.admin.bytes} used={bytes} most={quota.max_bytes} show={size} />
      <Meter name={texts.admin.files} used={files} most={quota.max_files} show={String} />
      <Meter name={texts.admin.uploadsUnderWay} used={uploads} most={quota.max_uploads} show={String} />
    </div>
  )
}

function Meter({ name, used, most, show }: { name: string; used: number; most: number | null; show: (value: number) => string }) {
  return (
    <div class="meter">
      <h3>{name}</h3>
      <p>
        <strong>{show(used)}</strong> <span class="soft">{most === null ? texts.admin.unlimited : texts.admin.ofQuota(show(most))}</span>
      </p>
      {most !== null && <Bar value={most > 0 ? used / most : 1} name={name} tone={used >= most ? "failed" : ""} />}
    </div>
  )
}
