// Who is signed in, in this tab: closing it signs out.
import { Client } from "./api/client"
import type { ApiError } from "./api/error"
import { claims, type Claims } from "./jwt"
import { Store } from "./store"
import { StreamTokens } from "./stream-tokens"
import { texts } from "./texts"

export interface Session {
  client: Client
  tokens: StreamTokens
  who: Claims
}

const KEY = "jwt"
export const session = new Store<Session | null>(null)
/** Why somebody has to sign in, if there is a reason to tell. */
export const farewell = new Store<string>("")

/** False for what is no JWT. */
export function enter(text: string): boolean {
  const jwt = text.trim()
  const who = claims(jwt)
  if (!who) return false
  sessionStorage.setItem(KEY, jwt)
  const client = new Client(jwt, (error) => leave(reason(error)))
  farewell.set("")
  session.set({ client, tokens: new StreamTokens(client), who })
  return true
}

export function leave(why: string = texts.signIn.left): void {
  sessionStorage.removeItem(KEY)
  farewell.set(why)
  session.set(null)
}

function reason(error: ApiError): string {
  return error.code === "token_expired" ? texts.signIn.expired : texts.signIn.refused
}

export function mayAdminister(who: Claims): boolean {
  return who.roles.includes("admin") || who.roles.includes("operator")
}

/** Goes on where this tab was signed in, or with what the address hands over, also while the page is open. */
export function begin(): void {
  const given = handedOver()
  const kept = given ?? sessionStorage.getItem(KEY)
  if (kept && !enter(kept)) leave("")
  addEventListener("hashchange", () => {
    const later = handedOver()
    if (later) enter(later)
  })
}

/** The demo hands its token over in the fragment; it is taken out of the address at once, so that nobody copies it on. */
function handedOver(): string | null {
  const given = new URLSearchParams(location.hash.slice(1)).get("jwt")
  if (given) history.replaceState(null, "", location.pathname)
  return given
}
