// Who is told of what happens, what became of each delivery, and another try.
import { useState } from "preact/hooks"
import type { Delivery, Webhook } from "../api/types"
import type { Session } from "../session"
import { ago } from "../format"
import { texts } from "../texts"
import { asError, useAsked } from "../ui/asked"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Problem } from "../ui/problem"
import { StateChip } from "../ui/state-chip"
import { say } from "../ui/toasts"
import { Table } from "./table"
import type { SectionProps } from "./section"

const EVERY_MS = 5_000

export function Webhooks({ session }: SectionProps) {
  const { value, error, again } = useAsked(() => session.client.webhooks(), [session])
  const [chosen, setChosen] = useState<string | null>(null)
  if (error) return <Problem error={error} again={again} />
  if (!value) return <p class="soft">{texts.loading}</p>
  const first = value.webhooks[0]
  if (!first) return <Empty icon="share" title={texts.admin.noWebhooks} />
  const shown = value.webhooks.find((one) => one.id === chosen) ?? first
  return (
    <>
      <label class="inline">
        {texts.admin.endpoint}
        <select value={shown.id} onChange={(event) => setChosen(event.currentTarget.value)}>
          {value.webhooks.map((one) => (
            <option key={one.id} value={one.id}>
              {one.description ? `${one.description} (${one.url})` : one.url}
            </option>
          ))}
        </select>
      </label>
      <Deliveries key={shown.id} session={session} webhook={shown} />
    </>
  )
}

function Deliveries({ session, webhook }: { session: Session; webhook: Webhook }) {
  const { value, error, again } = useAsked(() => session.client.deliveries(webhook.id), [session, webhook.id], EVERY_MS)
  const words = texts.admin.columns
  const resend = (delivery: Delivery) =>
    session.client.resend(webhook.id, delivery.id).then(
      () => {
        say(texts.admin.resent)
        again()
      },
      (problem: unknown) => say(asError(problem).message),
    )
  if (error) return <Problem error={error} again={again} />
  if (value && value.deliveries.length === 0) return <Empty icon="share" title={texts.admin.noDeliveries} />
  return (
    <Table name={texts.admin.webhooks} columns={[words.event, words.state, words.answer, words.attempts, words.since, words.actions]}>
      {(value?.deliveries ?? []).map((delivery) => (
        <tr key={delivery.id}>
          <th scope="row">
            <code>{delivery.type}</code>
          </th>
          <td>
            <StateChip state={TONES[delivery.state] ?? "staged"} word={texts.admin.deliveryStates[delivery.state] ?? delivery.state} />
          </td>
          <td>{delivery.last_attempt?.error?.message ?? delivery.last_attempt?.status ?? ""}</td>
          <td>{delivery.attempts}</td>
          <td>{ago(delivery.created_at)}</td>
          <td>
            <Button name={texts.admin.resendName(delivery.type)} onClick={() => void resend(delivery)}>
              {texts.admin.resend}
            </Button>
          </td>
        </tr>
      ))}
    </Table>
  )
}

const TONES: Record<string, string> = { delivered: "ready", sending: "processing", waiting: "staged", given_up: "failed" }
