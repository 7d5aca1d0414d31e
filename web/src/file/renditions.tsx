// What there is of a file to play and to look at, and what is still to come.
import type { FileRecord, Plan, Rendition } from "../api/types"
import { bitrate, percent, size } from "../format"
import { texts } from "../texts"
import { Bar } from "../ui/bar"
import { StateChip } from "../ui/state-chip"
import { plannedRungs, refusedOutputs } from "./plan"

interface Props {
  file: FileRecord
  plan: Plan | null
  rungs: { name: string; progress: number }[]
}

export function Renditions({ file, plan, rungs }: Props) {
  const words = texts.file.columns
  const there = file.renditions.filter((rendition) => rendition.kind !== "captions")
  const names = new Set(there.map((rendition) => rendition.name))
  const refused = refusedOutputs(plan)
  const coming = plannedRungs(plan).filter((rung) => !names.has(rung.name) && !refused.has(rung.name))
  if (there.length + coming.length + refused.size === 0) return <p class="soft">{texts.file.noRenditions}</p>
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label={texts.file.renditions}>
      <table>
        <thead>
          <tr>
            <th scope="col">{words.name}</th>
            <th scope="col">{words.picture}</th>
            <th scope="col">{words.rate}</th>
            <th scope="col">{words.codecs}</th>
            <th scope="col">{words.size}</th>
            <th scope="col">{words.state}</th>
          </tr>
        </thead>
        <tbody>
          {there.map((rendition) => (
            <Ready key={rendition.name} rendition={rendition} />
          ))}
          {coming.map((rung) => {
            const progress = rungs.find((one) => one.name === rung.name)?.progress ?? 0
            return (
              <tr key={rung.name}>
                <th scope="row">{rung.name}</th>
                <td>{rung.size}</td>
                <td />
                <td>{rung.how}</td>
                <td />
                <td>
                  <Bar value={progress} name={rung.name} /> <span class="small">{progress > 0 ? texts.library.percent(percent(progress)) : texts.file.planned}</span>
                </td>
              </tr>
            )
          })}
          {[...refused].map(([name, why]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td colSpan={4}>{why}</td>
              <td>
                <StateChip state="failed" word={texts.file.refused} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Ready({ rendition }: { rendition: Rendition }) {
  const { name, width, height, bitrate: rate, codecs } = rendition
  return (
    <tr>
      <th scope="row">{name === "source" ? texts.file.original : name}</th>
      <td>{width && height ? `${width} × ${height}` : ""}</td>
      <td>{rate ? bitrate(rate) : ""}</td>
      <td>
        <code>{codecs ?? rendition.content_type}</code>
      </td>
      <td>{size(rendition.size_bytes)}</td>
      <td>
        <StateChip state="ready" word={texts.file.published} />
      </td>
    </tr>
  )
}
