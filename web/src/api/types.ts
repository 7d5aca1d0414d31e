// What the API sends, as docs and server have it. Times are RFC 3339, sizes bytes.

export type FileState = "uploading" | "staged" | "processing" | "ready" | "failed"
export type FileKind = "video" | "audio" | "image" | "other"
export type RenditionKind = "video" | "audio" | "poster" | "storyboard" | "captions" | "preview" | "waveform"

export interface Failure {
  code: string
  message: string
  retryable: boolean
}

export interface Reason {
  code: string
  message: string
}

export interface VideoInfo {
  codec: string
  profile_name: string | null
  width: number
  height: number
  rotation: number
  average_frame_rate: [number, number]
  variable_frame_rate: boolean
  bit_depth: number
  chroma: string
  interlaced: boolean
  hdr: string | null
  bitrate: number | null
}

export interface AudioInfo {
  codec: string
  sample_rate: number
  channels: number
  channel_layout: string | null
  language: string | null
  bitrate: number | null
}

export interface SubtitleInfo {
  codec: string
  language: string | null
  text: boolean
}

export interface MediaInfo {
  container: string
  duration_ms: number
  bitrate: number
  video: VideoInfo | null
  audio: AudioInfo[]
  subtitles: SubtitleInfo[]
  web_safe: boolean
  segment_safe: boolean
  reasons: Reason[]
  warnings: Reason[]
}

export interface Rendition {
  name: string
  kind: RenditionKind
  content_type: string
  size_bytes: number
  width: number | null
  height: number | null
  bitrate: number | null
  codecs: string | null
  url: string
  /** Only captions have these. */
  language?: string
  label?: string | null
  default?: boolean
  added?: boolean
}

export interface FileRecord {
  id: string
  location: string
  filename: string
  content_type: string
  size_bytes: number
  sha256: string | null
  kind: FileKind
  state: FileState
  progress: number
  failure: Failure | null
  media: MediaInfo | null
  renditions: Rendition[]
  owner_id: string
  created_at: string
  updated_at: string
  ready_at: string | null
  tags?: string[]
  metadata?: Record<string, string>
  expires_at?: string | null
  trashed_at?: string | null
}

export interface FilePage {
  files: FileRecord[]
  next: string | null
}

export interface StreamToken {
  token: string
  expires_in: number
  expires_at: string
}

export type JobState = "queued" | "running" | "split" | "done" | "dead" | "cancelled" | string

export interface JobError {
  code: string
  message: string
}

export interface Job {
  id: string
  file_id: string
  org: string
  kind: string
  state: JobState
  priority: number
  lane: string
  progress: number
  attempt: number
  failures: number
  losses: number
  worker: string | null
  last_error: JobError | null
  created_at: string
  next_attempt_at: string | null
  heartbeat_at: string | null
  finished_at: string | null
}

export interface Attempt {
  attempt: number
  worker: string
  started_at: string
  ended_at: string | null
  outcome: string | null
  error: JobError | null
  last_words: string | null
  peak_memory_bytes: number | null
}

export interface ExplainedJob extends Job {
  speed: number | null
  time_left_ms: number | null
  plan: Plan | null
  attempts: Attempt[]
}

/** What was decided; its fields are for people, and may grow. */
export type Plan = Record<string, unknown>

export interface JobPage {
  jobs: Job[]
  next: string | null
}

export interface Lease {
  id: string
  file_id: string
  user_id: string
  network: string
  opened_at: string
  seen_at: string
  ends_at: string
}

export interface Webhook {
  id: string
  url: string
  description: string
  events: string[]
  enabled: boolean
  disabled: { reason: string; at: string } | null
  failures: number
}

export interface Delivery {
  id: string
  webhook_id: string
  type: string
  file_id: string | null
  state: string
  attempts: number
  next_attempt_at: string | null
  last_attempt: { at: string; status: number | null; error: { code: string; message: string } | null } | null
  created_at: string
}

/** What a file takes and has taken. */
export interface FileCost {
  source_bytes: number
  stored_bytes: number
  renditions: { name: string; kind: RenditionKind; bytes: number; earned: boolean; last_used_at: string | null }[]
  worker_ms: number
  earned_worker_ms: number
  views: { total: number; window: number; window_ms: number }
}

export interface Usage {
  bytes: number
  files: number
  uploads: number
  /** `null` where there is no limit. */
  quota: { max_bytes: number | null; max_files: number | null; max_uploads: number | null }
}
