// Stream tokens for elements that cannot send headers: pictures, films, events. Each lives for minutes; one that has begun to be used
// goes on under its lease, so nobody renews what plays.
import type { Client } from "./api/client"
import type { StreamToken } from "./api/types"

/** A token is not given out when it has less than this left. */
const MARGIN_MS = 60_000

export class StreamTokens {
  private images: Promise<StreamToken> | null = null
  private until = 0

  constructor(private readonly client: Client) {}

  /** For the pictures of all files of the organisation. */
  async image(): Promise<string> {
    if (!this.images || Date.now() > this.until) {
      this.until = Number.POSITIVE_INFINITY
      this.images = this.client.token(["image"])
      this.images.then(
        (token) => {
          this.until = Date.now() + token.expires_in * 1000 - MARGIN_MS
        },
        () => {
          this.images = null
        },
      )
    }
    return (await this.images).token
  }

  async play(file: string): Promise<string> {
    return (await this.client.token(["play", "image"], file)).token
  }

  async download(file: string): Promise<string> {
    return (await this.client.token(["source"], file)).token
  }

  async events(): Promise<string> {
    return (await this.client.token(["events"])).token
  }

  /** To be passed on: one file, nothing but watching. */
  share(file: string): Promise<StreamToken> {
    return this.client.token(["play", "image"], file)
  }
}
