// What went wrong with a request, in the server's words and its stable code.

export class ApiError extends Error {
  constructor(
    readonly status: number,
    /** `unreachable` when no answer came. */
    readonly code: string,
    message: string,
    /** Seconds, when the server said so. */
    readonly retryAfter: number | null = null,
    readonly requestId: string | null = null,
  ) {
    super(message)
  }

  get isSignIn(): boolean {
    return this.status === 401
  }
}

export const unreachable = (message: string) => new ApiError(0, "unreachable", message)

/** `detail` is a sentence, or with 422 a list. */
export function fromBody(status: number, body: unknown, headers: { get(name: string): string | null }): ApiError {
  const { detail, code } = (typeof body === "object" && body !== null ? body : {}) as { detail?: unknown; code?: unknown }
  const after = Number(headers.get("Retry-After"))
  return new ApiError(
    status,
    typeof code === "string" ? code : `http_${status}`,
    sentence(detail) ?? `The server answered ${status}.`,
    Number.isFinite(after) && after > 0 ? after : null,
    headers.get("X-Request-Id"),
  )
}

function sentence(detail: unknown): string | null {
  if (typeof detail === "string") return detail
  if (!Array.isArray(detail)) return null
  const first = detail[0] as { loc?: unknown[]; msg?: string } | undefined
  return first?.msg ? `${(first.loc ?? []).slice(1).join(".")}: ${first.msg}` : null
}
