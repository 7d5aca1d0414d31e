// What a search for quality has shown of a film: for each rendition what it looks like by what it takes, and what was chosen.
import type { Plan } from "../api/types"
import { bitrate, size } from "../format"
import { texts } from "../texts"
import { type Curve, type Point, quality } from "./plan"

const WIDTH = 480
const HEIGHT = 220
const EDGE = { left: 44, right: 12, top: 12, bottom: 28 }

export function Quality({ plan }: { plan: Plan | null }) {
  const found = quality(plan)
  if (!found) return null
  const words = texts.file.quality
  const saved = found.curves.reduce((sum, curve) => sum + curve.saved, 0)
  return (
    <section class="quality">
      <h3>{words.title}</h3>
      <p class="soft small">{words.about(found.target, found.sampledSeconds)}</p>
      <Chart curves={found.curves} target={found.target} />
      <table>
        <thead>
          <tr>
            {[words.rendition, words.factor, words.likeness, words.takes, words.saved].map((name) => (
              <th key={name}>{name}</th>
            ))}
          </tr>
        </thead>
        <tbody>
          {found.curves.map((curve) => (
            <Row key={curve.name} curve={curve} />
          ))}
        </tbody>
      </table>
      <p>
        <strong>{saved >= 0 ? words.savedInAll(size(saved)) : words.costsInAll(size(-saved))}</strong>
      </p>
    </section>
  )
}

function Row({ curve }: { curve: Curve }) {
  const words = texts.file.quality
  const point = chosen(curve)
  return (
    <tr class={curve.dropped ? "soft" : ""}>
      <td>{curve.name}</td>
      <td>{curve.dropped ? words.leftOut : words.instead(curve.crf, curve.usual)}</td>
      <td>{point ? point.own.toFixed(4) : "–"}</td>
      <td>{point ? bitrate(point.bitrate) : "–"}</td>
      <td>{curve.saved < 0 ? `−${size(-curve.saved)}` : size(curve.saved)}</td>
    </tr>
  )
}

/** Likeness over bits per second, the latter by their logarithm; as decibels, for near 1 all curves lie flat. */
function Chart({ curves, target }: { curves: Curve[]; target: number }) {
  const points = curves.flatMap((curve) => curve.points)
  const logs = points.map((point) => Math.log2(Math.max(point.bitrate, 1)))
  const heights = [...points.map((point) => decibels(point.own)), decibels(target)]
  const [least, most, low, high] = [Math.min(...logs), Math.max(...logs), Math.min(...heights), Math.max(...heights)]
  const x = (bits: number) => EDGE.left + ((Math.log2(Math.max(bits, 1)) - least) / (most - least || 1)) * (WIDTH - EDGE.left - EDGE.right)
  const y = (likeness: number) => HEIGHT - EDGE.bottom - ((decibels(likeness) - low) / (high - low || 1)) * (HEIGHT - EDGE.top - EDGE.bottom)
  const ends = [least, most].map((log) => 2 ** log)
  return (
    <svg class="curves" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} role="img" aria-label={texts.file.quality.chart}>
      <line class="target" x1={EDGE.left} x2={WIDTH - EDGE.right} y1={y(target)} y2={y(target)} />
      <text x={EDGE.left - 6} y={y(target) + 4} text-anchor="end">
        {target}
      </text>
      {ends.map((bits, at) => (
        <text key={at} x={x(bits)} y={HEIGHT - 8} text-anchor={at === 0 ? "start" : "end"}>
          {bitrate(bits)}
        </text>
      ))}
      {curves.map((curve, at) => (
        <g key={curve.name} class={curve.dropped ? "curve dropped" : "curve"} style={{ "--turn": `${(at * 360) / curves.length}deg` }}>
          <polyline points={curve.points.map((point) => `${x(point.bitrate)},${y(point.own)}`).join(" ")} />
          {curve.points.map((point) => (
            <circle key={point.crf} cx={x(point.bitrate)} cy={y(point.own)} r={point.crf === curve.crf && !curve.dropped ? 5 : 2.5}>
              <title>{texts.file.quality.point(curve.name, point.crf, point.own.toFixed(4), bitrate(point.bitrate))}</title>
            </circle>
          ))}
        </g>
      ))}
    </svg>
  )
}

function chosen(curve: Curve): Point | undefined {
  return curve.points.find((point) => point.crf === curve.crf)
}

function decibels(likeness: number): number {
  return -10 * Math.log10(Math.max(1 - likeness, 1e-6))
}
