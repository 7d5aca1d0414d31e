// Who watches what now, and the end of it.
import type { Lease } from "../api/types"
import { ago } from "../format"
import { links } from "../place"
import { texts } from "../texts"
import { asError, useAsked } from "../ui/asked"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Problem } from "../ui/problem"
import { say } from "../ui/toasts"
import { useNames } from "./names"
import { Table } from "./table"
import type { SectionProps } from "./section"

const EVERY_MS = 5_000

export function Playing({ session }: SectionProps) {
  const { value, error, again } = useAsked(() => session.client.leases(), [session], EVERY_MS)
  const leases = value?.leases ?? []
  const name = useNames(session, leases.map((lease) => lease.file_id))
  const words = texts.admin.columns
  const revoke = (lease: Lease) =>
    session.client.revokeLease(lease.id).then(
      () => {
        say(texts.admin.revoked)
        again()
      },
      (problem: unknown) => say(asError(problem).message),
    )
  if (error) return <Problem error={error} again={again} />
  if (value && leases.length === 0) return <Empty icon="play" title={texts.admin.noLeases} />
  return (
    <Table name={texts.admin.playing} columns={[words.file, words.viewer, words.network, words.since, words.seen, words.actions]}>
      {leases.map((lease) => (
        <tr key={lease.id}>
          <th scope="row">
            <a href={links.file(lease.file_id)}>{name(lease.file_id)}</a>
          </th>
          <td>{lease.user_id}</td>
          <td>{lease.network}</td>
          <td>{ago(lease.opened_at)}</td>
          <td>{ago(lease.seen_at)}</td>
          <td>
            <Button kind="bad" name={texts.admin.revokeName(lease.user_id)} onClick={() => void revoke(lease)}>
              {texts.admin.revoke}
            </Button>
          </td>
        </tr>
      ))}
    </Table>
  )
}
