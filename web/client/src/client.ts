// A Reelgate server, as a page or a program sees it.
import { Credential, type Mint } from "./credentials.js"
import { type EventsWish, Listener, TokenListener } from "./events.js"
import { Http, type Query } from "./http.js"
import { PlayerSource, type StreamToken } from "./player.js"
import type { FileCost, FileJson, FileList, ListQuery, TokenWish } from "./types.js"
import { type Source, Upload, type UploadWish } from "./upload.js"

export interface Settings {
  /** Where the server is, e.g. `https://media.example`; on its own pages the empty text. */
  url?: string
  /** The user's JWT. Asked for anew when the server takes the last one no more. */
  jwt?: string | Mint
  /** A token to upload with (`POST /v1/uploads/token`), from the product's own server: the page then needs no JWT for that. */
  uploadToken?: Mint
  /** A token to play a file with (`POST /v1/files/token`), from there, too. */
  streamToken?: (wish: TokenWish) => Promise<StreamToken>
  fetch?: typeof fetch
}

export class Reelgate {
  private readonly http: Http
  private readonly jwt: Credential | null
  private readonly uploadToken: Credential | null

  constructor(private readonly settings: Settings = {}) {
    const { url = "", jwt, uploadToken, fetch: given } = settings
    this.jwt = jwt === undefined ? null : new Credential(typeof jwt === "string" ? () => jwt : jwt)
    // One token may be for one upload: none is kept for the next.
    this.uploadToken = uploadToken ? new Credential(async () => ({ token: await token(uploadToken), expires_in: 0 })) : null
    this.http = new Http(url, this.jwt, given ?? ((...of) => fetch(...of)))
  }

  /** Begins at once. `done` is the file's id. */
  upload(file: Source, wish: UploadWish = {}): Upload {
    let used = ""
    return new Upload(file, this.http.address("/v1/uploads"), wish, {
      headers: async () => {
        if (this.uploadToken) return { "Reelgate-Upload-Token": await this.uploadToken.token() }
        used = (await this.jwt?.token()) ?? ""
        return used ? { Authorization: `Bearer ${used}` } : {}
      },
      forget: async () => this.jwt?.forget(used),
    })
  }

  /** What plays the file, with a token in each address. */
  async source(file: string): Promise<PlayerSource> {
    const mint = () => this.streamToken({ file_ids: [file], scope: ["play", "image"] })
    return new PlayerSource(this.http.base, file, await mint(), mint)
  }

  /** Until it is closed. With a JWT by `fetch`, else by the browser's own reader and a stream token. */
  events(wish: EventsWish): Listener | TokenListener {
    if (this.jwt) return new Listener((path, ask) => this.http.answer(path, ask), wish)
    return new TokenListener(async (query) => {
      const { token } = await this.streamToken({ scope: ["events"] })
      return this.http.address("/v1/events", { ...query, token })
    }, wish)
  }

  file(id: string): Promise<FileJson> {
    return this.http.json(`/v1/files/${encodeURIComponent(id)}/info`)
  }

  /** What it takes and has taken, and how often it is watched. */
  cost(id: string): Promise<FileCost> {
    return this.http.json(`/v1/files/${encodeURIComponent(id)}/cost`)
  }

  files(query: ListQuery = {}): Promise<FileList> {
    return this.http.json("/v1/files", { query: query as Query })
  }

  /** All that match, page by page as they are asked for. */
  async *all(query: ListQuery = {}): AsyncGenerator<FileJson> {
    let cursor: string | null | undefined = query.cursor
    do {
      const page: FileList = await this.files(cursor ? { ...query, cursor } : query)
      yield* page.files
      cursor = page.next
    } while (cursor)
  }

  async delete(id: string): Promise<void> {
    await this.http.answer(`/v1/files/${encodeURIComponent(id)}`, { method: "DELETE" })
  }

  private streamToken(wish: TokenWish): Promise<StreamToken> {
    if (this.settings.streamToken) return this.settings.streamToken(wish)
    return this.http.json("/v1/files/token", { method: "POST", body: wish })
  }
}

async function token(mint: Mint): Promise<string> {
  const fresh = await mint()
  return typeof fresh === "string" ? fresh : fresh.token
}
