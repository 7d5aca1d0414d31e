// Who asks. A credential comes from a callback, is kept as long as it lives, and is asked for anew when the server does not take it any more.

/** A token as a callback gives it, with the seconds that it lives if they are known. */
export type Fresh = string | { token: string; expires_in?: number | undefined }
export type Mint = () => Fresh | Promise<Fresh>

/** A token is not given out when it has less than this left. */
const MARGIN_MS = 10_000

export class Credential {
  private kept: Promise<string> | null = null
  private until = Number.POSITIVE_INFINITY

  constructor(private readonly mint: Mint) {}

  /** Asks once however many want it at the same time. */
  token(): Promise<string> {
    if (this.kept === null || Date.now() >= this.until) this.kept = this.fetch()
    return this.kept
  }

  /** What the server has refused is not given out again. */
  forget(refused: string): Promise<void> {
    const kept = this.kept
    if (kept === null) return Promise.resolve()
    return kept.then(
      (token) => {
        if (token === refused && this.kept === kept) this.kept = null
      },
      () => undefined,
    )
  }

  private fetch(): Promise<string> {
    this.until = Number.POSITIVE_INFINITY
    const kept = Promise.resolve(this.mint()).then((fresh) => {
      const { token, expires_in } = typeof fresh === "string" ? { token: fresh, expires_in: undefined } : fresh
      if (expires_in !== undefined) this.until = Date.now() + expires_in * 1_000 - MARGIN_MS
      return token
    })
    kept.catch(() => {
      if (this.kept === kept) this.kept = null
    })
    return kept
  }
}
