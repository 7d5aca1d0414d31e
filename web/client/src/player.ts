// Addresses that a player plays a file by. A token opens a lease, and what plays goes on under it however long it takes; a lease that was
// silent for too long is over, and then the same film plays on from a new address.

export interface StreamToken {
  token: string
  expires_in: number
}

export interface Addresses {
  hls: string
  dash: string
  /** The best rendition that plays as one file. */
  progressive: string
  poster: string
  storyboard: string
}

/** As much of hls.js as is used. */
export interface HlsLike {
  loadSource(url: string): void
  startLoad(from?: number): void
  on(event: "hlsError", listener: (event: string, data: HlsError) => void): void
  off(event: "hlsError", listener: (event: string, data: HlsError) => void): void
  media: { currentTime: number } | null
}

interface HlsError {
  fatal: boolean
  response?: { code: number }
}

/** Renewals for one film without a second of it played in between: it is not the token. */
const MOST_IN_A_ROW = 3

export class PlayerSource implements Addresses {
  constructor(
    private readonly base: string,
    private readonly file: string,
    private token: StreamToken,
    private readonly mint: () => Promise<StreamToken>,
  ) {}

  get hls(): string {
    return this.at(`/v1/files/stream/${this.file}/master.m3u8`)
  }

  get dash(): string {
    return this.at(`/v1/files/stream/${this.file}/manifest.mpd`)
  }

  get progressive(): string {
    return this.at(`/v1/files/stream/${this.file}`)
  }

  get poster(): string {
    return this.at(`/v1/files/${this.file}/poster`)
  }

  get storyboard(): string {
    return this.at(`/v1/files/${this.file}/storyboard.vtt`)
  }

  /** With a new token: the addresses are others from now on. */
  async renew(): Promise<this> {
    this.token = await this.mint()
    return this
  }

  /** Loads the film into hls.js and renews it when its lease is over, where it was. Returns how to stop that. */
  attach(hls: HlsLike): () => void {
    let [last, inARow] = [-1, 0]
    const heal = async (_event: string, data: HlsError) => {
      if (!data.fatal || data.response?.code !== 401) return
      const at = hls.media?.currentTime ?? 0
      inARow = at === last ? inARow + 1 : 1
      last = at
      if (inARow > MOST_IN_A_ROW) return
      hls.loadSource((await this.renew()).hls)
      hls.startLoad(at)
    }
    hls.on("hlsError", heal)
    hls.loadSource(this.hls)
    return () => hls.off("hlsError", heal)
  }

  private at(path: string): string {
    return `${this.base}${path}?token=${encodeURIComponent(this.token.token)}`
  }
}
