// A plan as far as people want to read it. Its fields are the worker's and may grow, so each is looked at before it is believed.
import type { Plan } from "../api/types"
import { texts } from "../texts"

export interface Rung {
  name: string
  size: string
  /** Copied, or encoded to what. */
  how: string
}

export function plannedRungs(plan: Plan | null): Rung[] {
  return list(plan?.rungs).map((rung) => {
    const video = object(rung.video)
    const how = video.step === "copy" ? texts.file.copyStep : texts.file.encodeStep(String(video.codec ?? "").toUpperCase())
    return { name: String(rung.name ?? ""), size: `${String(rung.width)} × ${String(rung.height)}`, how }
  })
}

/** What was decided and why, in the worker's own words. */
export function choices(plan: Plan | null): { what: string; why: string }[] {
  return list(plan?.reasons).map((choice) => ({ what: String(choice.what ?? ""), why: String(choice.why ?? "") }))
}

/** Outputs that were kept back, with the reason. */
export function refusedOutputs(plan: Plan | null): Map<string, string> {
  return new Map(list(plan?.refused).map((one) => [String(one.name ?? ""), String(one.message ?? "")]))
}

export interface Point {
  crf: number
  /** How like the film, 1 for the same. */
  own: number
  /** Per second, pictures alone. */
  bitrate: number
}

/** What samples have shown of one rendition. */
export interface Curve {
  name: string
  points: Point[]
  crf: number
  /** As without a search. */
  usual: number
  /** Why it is left out. */
  dropped: string | null
  /** Bytes. */
  saved: number
}

export interface Found {
  target: number
  sampledSeconds: number
  curves: Curve[]
}

/** What a search for quality has found, if there was one. */
export function quality(plan: Plan | null): Found | null {
  const found = object(plan?.quality)
  const curves = list(found.curves).map((curve) => ({
    name: String(curve.name ?? ""),
    points: list(curve.points).map(({ crf, own, bitrate }) => ({ crf: Number(crf), own: Number(own), bitrate: Number(bitrate) })),
    crf: Number(curve.crf),
    usual: Number(curve.usual_crf),
    dropped: typeof curve.dropped === "string" ? curve.dropped : null,
    saved: Number(curve.saved_bytes ?? 0),
  }))
  return curves.length > 0 ? { target: Number(found.target), sampledSeconds: Math.round(Number(found.sampled_ms) / 1000), curves } : null
}

function list(value: unknown): Record<string, unknown>[] {
  return Array.isArray(value) ? value.map(object) : []
}

function object(value: unknown): Record<string, unknown> {
  return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {}
}
