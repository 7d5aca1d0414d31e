// Requests to one server, signed in. A credential that is too old is renewed once, and the request is made again.
import type { Credential } from "./credentials.js"
import { ReelgateError } from "./error.js"

type Value = string | number | boolean
/** A list is one pair for each of its members. */
export type Query = Record<string, Value | Value[] | undefined>

export interface Ask {
  method?: string
  query?: Query
  body?: unknown
  headers?: Record<string, string>
  signal?: AbortSignal | undefined
}

export class Http {
  readonly base: string

  constructor(
    url: string,
    private readonly jwt: Credential | null,
    private readonly doFetch: typeof fetch,
  ) {
    this.base = url.replace(/\/+$/, "")
  }

  address(path: string, query: Query = {}): string {
    const pairs = Object.entries(query).flatMap(([name, value]) => [value ?? []].flat().map((one) => [name, String(one)]))
    const search = new URLSearchParams(pairs).toString()
    return `${this.base}${path}${search ? `?${search}` : ""}`
  }

  async json<T>(path: string, ask: Ask = {}): Promise<T> {
    const answer = await this.answer(path, ask)
    return (await answer.json()) as T
  }

  /** An answer below 400. */
  async answer(path: string, ask: Ask = {}): Promise<Response> {
    const token = await this.jwt?.token()
    const answer = await this.send(path, ask, token)
    if (answer.ok) return answer
    const error = ReelgateError.of(answer.status, await answer.text())
    if (!this.jwt || token === undefined || !error.isStale) throw error
    await this.jwt.forget(token)
    const renewed = await this.jwt.token()
    // Who gives the same again would be refused again.
    if (renewed === token) throw error
    const again = await this.send(path, ask, renewed)
    if (again.ok) return again
    throw ReelgateError.of(again.status, await again.text())
  }

  private async send(path: string, ask: Ask, token: string | undefined): Promise<Response> {
    const headers: Record<string, string> = { ...ask.headers }
    if (token !== undefined) headers["Authorization"] = `Bearer ${token}`
    const init: RequestInit = { method: ask.method ?? "GET", headers, signal: ask.signal ?? null }
    if (ask.body !== undefined) {
      headers["Content-Type"] = "application/json"
      init.body = JSON.stringify(ask.body)
    }
    try {
      return await this.doFetch(this.address(path, ask.query), init)
    } catch (cause) {
      if (ask.signal?.aborted) throw cause
      throw new ReelgateError("The server cannot be reached", 0, "unreachable", { cause })
    }
  }
}
