// What is known about a file, in a list.
import type { AudioInfo, FileRecord, VideoInfo } from "../api/types"
import { bitrate, clock, fraction, language, size, when } from "../format"
import { texts } from "../texts"

export function Facts({ file }: { file: FileRecord }) {
  const shown = facts(file).filter((fact): fact is [string, string] => Boolean(fact[1]))
  return (
    <dl class="facts">
      {shown.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  )
}

function facts(file: FileRecord): [string, string | null | undefined][] {
  const { media } = file
  const words = texts.file.fact
  return [
    [words.duration, media?.duration_ms ? clock(media.duration_ms) : null],
    [words.size, size(file.size_bytes)],
    [words.picture, media?.video && picture(media.video)],
    [words.frames, media?.video && frames(media.video)],
    [words.video, media?.video && video(media.video)],
    [words.audio, media?.audio.map(audio).join("; ")],
    [words.subtitles, media?.subtitles.map((track) => `${language(track.language ?? "und")} (${track.codec})`).join("; ")],
    [words.container, media?.container],
    [words.bitrate, media?.bitrate ? bitrate(media.bitrate) : null],
    [words.type, file.content_type],
    [words.uploaded, when(file.created_at)],
    [words.owner, file.owner_id],
    [words.expires, file.expires_at && when(file.expires_at)],
    [words.id, file.id],
    [words.sha256, file.sha256],
  ]
}

function picture({ width, height, rotation, hdr }: VideoInfo): string {
  const parts = [`${width} × ${height}`]
  if (rotation) parts.push(`${rotation}°`)
  if (hdr) parts.push(hdr.replace("_", " ").toUpperCase())
  return parts.join(", ")
}

function frames({ average_frame_rate, variable_frame_rate }: VideoInfo): string {
  return fraction(average_frame_rate) + (variable_frame_rate ? ` (${texts.file.variable})` : "")
}

function video({ codec, profile_name, bit_depth, chroma, interlaced }: VideoInfo): string {
  const parts = [codec.toUpperCase(), profile_name, `${bit_depth} bit`, chroma, interlaced ? "interlaced" : null]
  return parts.filter(Boolean).join(", ")
}

function audio({ codec, channels, sample_rate, language: tag }: AudioInfo): string {
  const parts = [codec.toUpperCase(), texts.file.channels(channels), `${sample_rate / 1000} kHz`, tag ? language(tag) : null]
  return parts.filter(Boolean).join(", ")
}
