// The API, typed: one function for each thing the page asks for. Knows the sign-in and nothing of what is shown.
import { texts } from "../texts"
import { ApiError, fromBody, unreachable } from "./error"
import type { Delivery, ExplainedJob, FileCost, FilePage, FileRecord, JobPage, Lease, StreamToken, Usage, Webhook } from "./types"

export interface FileQuery {
  state?: string
  kind?: string
  q?: string
  tag?: string
  sort?: string
  owner?: string
  trashed?: boolean
  cursor?: string | null
  limit?: number
}

/** What became of one file that was to go. */
export interface Removed {
  id: string
  deleted?: boolean
  trashed?: boolean
  error?: { code: string; message: string }
}

export interface FileChange {
  filename?: string
  tags?: string[]
  metadata?: Record<string, string | null>
  expires_at?: string | null
}

export class Client {
  constructor(
    readonly jwt: string,
    private readonly refused: (error: ApiError) => void,
  ) {}

  async request<T>(method: string, path: string, body?: unknown, type = "application/json"): Promise<T> {
    const headers: Record<string, string> = { Authorization: `Bearer ${this.jwt}` }
    if (body !== undefined) headers["Content-Type"] = type
    const payload = body === undefined ? null : type === "application/json" ? JSON.stringify(body) : (body as string)
    let answer: Response
    try {
      answer = await fetch(path, { method, headers, body: payload })
    } catch {
      throw unreachable(texts.errors.unreachable)
    }
    const parsed: unknown = await answer.json().catch(() => null)
    if (answer.ok) return parsed as T
    const error = fromBody(answer.status, parsed, answer.headers)
    if (error.isSignIn) this.refused(error)
    throw error
  }

  files(query: FileQuery): Promise<FilePage> {
    return this.request("GET", `/v1/files?${parameters({ ...query })}`)
  }

  file(id: string): Promise<FileRecord> {
    return this.request("GET", `/v1/files/${id}/info`)
  }

  change(id: string, change: FileChange): Promise<FileRecord> {
    return this.request("PATCH", `/v1/files/${id}`, change)
  }

  /** To the trash, if the server has one; `permanent` goes past it, and out of it. At most 200. */
  remove(ids: string[], permanent = false): Promise<{ results: Removed[] }> {
    return this.request("POST", "/v1/files/delete", { ids, permanent })
  }

  restore(id: string): Promise<unknown> {
    return this.request("POST", `/v1/files/${id}/restore`)
  }

  retry(id: string): Promise<unknown> {
    return this.request("POST", `/v1/files/${id}/retry`)
  }

  /** Scopes are `play`, `source`, `image` and `events`. */
  token(scope: string[], file?: string): Promise<StreamToken> {
    return this.request("POST", "/v1/files/token", file ? { scope, file_ids: [file] } : { scope })
  }

  addCaptions(id: string, language: string, label: string, document: string): Promise<unknown> {
    return this.request("POST", `/v1/files/${id}/captions?${parameters({ language, label })}`, document, "text/plain")
  }

  removeCaptions(id: string, language: string): Promise<unknown> {
    return this.request("DELETE", `/v1/files/${id}/captions/${language}.vtt`)
  }

  jobs(query: { state?: string; file_id?: string; limit?: number; cursor?: string | null }): Promise<JobPage> {
    return this.request("GET", `/v1/jobs?${parameters(query)}`)
  }

  job(id: string): Promise<ExplainedJob> {
    return this.request("GET", `/v1/jobs/${id}`)
  }

  retryJob(id: string): Promise<ExplainedJob> {
    return this.request("POST", `/v1/jobs/${id}/retry`)
  }

  cancelJob(id: string): Promise<ExplainedJob> {
    return this.request("POST", `/v1/jobs/${id}/cancel`)
  }

  cost(file: string): Promise<FileCost> {
    return this.request("GET", `/v1/files/${file}/cost`)
  }

  usage(): Promise<Usage> {
    return this.request("GET", "/v1/usage")
  }

  webhooks(): Promise<{ webhooks: Webhook[] }> {
    return this.request("GET", "/v1/webhooks")
  }

  deliveries(webhook: string): Promise<{ deliveries: Delivery[] }> {
    return this.request("GET", `/v1/webhooks/${webhook}/deliveries?limit=50`)
  }

  resend(webhook: string, delivery: string): Promise<unknown> {
    return this.request("POST", `/v1/webhooks/${webhook}/deliveries/${delivery}/resend`)
  }

  leases(): Promise<{ leases: Lease[] }> {
    return this.request("GET", "/v1/leases")
  }

  revokeLease(lease: string): Promise<unknown> {
    return this.request("POST", "/v1/leases/revoke", { lease_id: lease })
  }
}

export function parameters(query: Record<string, string | number | boolean | null | undefined>): string {
  const given = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "")
  return new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)])).toString()
}
