// As much of what the API answers as a client of it looks at; the rest is there, too, as docs/ describe it.

export interface FileJson {
  id: string
  location: string
  filename: string
  content_type: string
  size_bytes: number
  /** `null` while the upload goes on. */
  sha256: string | null
  kind: "video" | "audio" | "image" | "other"
  state: "uploading" | "staged" | "processing" | "ready" | "failed"
  /** From 0 to 1. */
  progress: number
  failure: { code: string; message: string; retryable: boolean } | null
  media: Record<string, unknown> | null
  renditions: RenditionJson[]
  owner_id: string
  created_at: string
  updated_at: string
  ready_at: string | null
}

export interface RenditionJson {
  name: string
  kind: "video" | "audio" | "poster" | "storyboard" | "captions" | "preview" | "waveform"
  content_type: string
  size_bytes: number
  width: number | null
  height: number | null
  bitrate: number | null
  codecs: string | null
  /** A path, without a token. */
  url: string
}

export interface FileList {
  files: FileJson[]
  next: string | null
}

export interface ListQuery {
  state?: FileJson["state"]
  kind?: FileJson["kind"]
  limit?: number
  cursor?: string
}
