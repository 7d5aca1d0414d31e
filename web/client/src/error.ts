// What a server says when it does not do what it was asked for: a status, and a code that never changes (docs/errors.md).

export class ReelgateError extends Error {
  override readonly name = "ReelgateError"

  constructor(
    message: string,
    /** 0: no answer came. */
    readonly status: number,
    readonly code: string,
    options?: ErrorOptions,
  ) {
    super(message, options)
  }

  static of(status: number, body: string): ReelgateError {
    const { detail, code } = parsed(body)
    const message = typeof detail === "string" ? detail : `The server answered ${status}`
    return new ReelgateError(message, status, typeof code === "string" ? code : "")
  }

  /** New credentials of the same kind may help. */
  get isStale(): boolean {
    return this.status === 401 && STALE.has(this.code)
  }
}

const STALE = new Set(["token_expired", "token_revoked", "token_invalid", "lease_ended", "not_signed_in", "upload_token_invalid"])

function parsed(body: string): { detail?: unknown; code?: unknown } {
  try {
    return Object(JSON.parse(body))
  } catch {
    return {}
  }
}
