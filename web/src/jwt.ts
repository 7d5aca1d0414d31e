// What a sign-in token says about itself. Nobody verifies it here: the server does, at each request.

export interface Claims {
  sub: string
  org: string
  roles: string[]
  /** Milliseconds since 1970. */
  expires: number | null
}

/** `null` for what is no JWT. */
export function claims(jwt: string): Claims | null {
  try {
    const part = jwt.split(".")[1] ?? ""
    const text = atob(part.replaceAll("-", "+").replaceAll("_", "/"))
    const parsed = JSON.parse(new TextDecoder().decode(Uint8Array.from(text, (c) => c.charCodeAt(0)))) as Record<string, unknown>
    const roles = Array.isArray(parsed.roles) ? parsed.roles.filter((role): role is string => typeof role === "string") : []
    return {
      sub: typeof parsed.sub === "string" ? parsed.sub : "",
      org: typeof parsed.org === "string" ? parsed.org : "",
      roles,
      expires: typeof parsed.exp === "number" ? parsed.exp * 1000 : null,
    }
  } catch {
    return null
  }
}
