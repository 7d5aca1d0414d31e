// A file to the server by tus: it goes on by itself when the connection breaks, and after a reload where `resume` remembers it.
import { DetailedError, Upload as Tus, type UploadOptions } from "tus-js-client"
import { ReelgateError } from "./error.js"

/** What tus-js-client takes: a File or Blob in a browser, a Buffer or a stream in Node. */
export type Source = ConstructorParameters<typeof Tus>[0]

export interface UploadWish {
  /** Else the File's own. */
  filename?: string
  contentType?: string
  metadata?: Record<string, string>
  /** Of a stream, which does not know. */
  size?: number
  onProgress?: (sent: number, total: number | null) => void
  /** As soon as it is known which file it becomes. */
  onFile?: (fileId: string) => void
  /** Goes on with an upload of the same file that was interrupted, e.g. by a reload; `true` unless said otherwise. */
  resume?: boolean
  signal?: AbortSignal
  /** Milliseconds before each try without progress in between. */
  retryDelays?: number[]
  /** More, or other, of tus-js-client's own options. */
  tus?: Partial<UploadOptions>
}

/** A gateway that is replaced is back within minutes. */
const RETRY_DELAYS = [0, 500, 1_000, 2_000, ...Array<number>(60).fill(5_000)]

/** Who may begin an upload. */
export interface SignIn {
  headers(): Promise<Record<string, string>>
  /** The last ones were refused. */
  forget(): Promise<void>
}

export class Upload {
  /** The file's id when all of it is stored. */
  readonly done: Promise<string>
  private readonly tus: Tus
  private file: string | null = null
  private renewed = false
  private settle!: { resolve(file: string): void; reject(error: unknown): void }

  constructor(
    source: Source,
    endpoint: string,
    private readonly wish: UploadWish,
    private readonly signIn: SignIn,
  ) {
    this.done = new Promise((resolve, reject) => {
      this.settle = { resolve, reject }
    })
    this.tus = new Tus(source, {
      endpoint,
      metadata: metadata(source, wish),
      retryDelays: wish.retryDelays ?? RETRY_DELAYS,
      ...(wish.size === undefined ? {} : { uploadSize: wish.size }),
      removeFingerprintOnSuccess: true,
      storeFingerprintForResuming: wish.resume !== false,
      onProgress: (sent, total) => wish.onProgress?.(sent, total),
      onAfterResponse: (_request, response) => this.note(response.getHeader("Reelgate-File-Id")),
      onSuccess: () => this.succeed(),
      onError: (error) => this.settle.reject(refusal(error)),
      onShouldRetry: (error) => this.shouldRetry(refusal(error)),
      ...wish.tus,
      // Only who begins is asked who may; later the address alone is the right to go on.
      onBeforeRequest: async (request) => {
        if (request.getMethod() === "POST") {
          for (const [name, value] of Object.entries(await this.signIn.headers())) request.setHeader(name, value)
        }
        await wish.tus?.onBeforeRequest?.(request)
      },
    })
    wish.signal?.addEventListener("abort", () => void this.stop(), { once: true })
    void this.begin()
  }

  /** The file it becomes, once that is known. */
  get fileId(): string | null {
    return this.file
  }

  /** Nothing is sent until `resume`. */
  async pause(): Promise<void> {
    await this.tus.abort()
  }

  resume(): void {
    this.tus.start()
  }

  /** Gives it up, here and at the server. */
  async cancel(): Promise<void> {
    await this.tus.abort(this.tus.url !== null).catch(() => undefined)
    this.settle.reject(new ReelgateError("The upload was cancelled", 0, "cancelled"))
  }

  private async stop(): Promise<void> {
    await this.tus.abort()
    this.settle.reject(new ReelgateError("The upload was stopped; it may be resumed", 0, "stopped"))
  }

  private async begin(): Promise<void> {
    try {
      if (this.wish.resume !== false && !this.wish.tus?.uploadUrl) {
        const last = (await this.tus.findPreviousUploads()).at(-1)
        if (last) this.tus.resumeFromPreviousUpload(last)
      }
      if (!this.wish.signal?.aborted) this.tus.start()
      else await this.stop()
    } catch (error) {
      this.settle.reject(error)
    }
  }

  private shouldRetry(error: ReelgateError): boolean {
    if (error.isStale && !this.renewed) {
      this.renewed = true
      void this.signIn.forget()
      return true
    }
    return error.status < 400 || error.status >= 500 || [409, 423, 429].includes(error.status)
  }

  private note(file: string | undefined): void {
    if (!file || file === this.file) return
    this.file = file
    this.wish.onFile?.(file)
  }

  private succeed(): void {
    if (this.file) this.settle.resolve(this.file)
    else this.settle.reject(new ReelgateError("The server did not say which file it has become", 0, "no_file"))
  }
}

function metadata(source: Source, wish: UploadWish): Record<string, string> {
  const own = typeof File !== "undefined" && source instanceof File ? source : null
  const filename = wish.filename ?? own?.name
  const filetype = wish.contentType ?? own?.type
  return { ...wish.metadata, ...(filename ? { filename } : {}), ...(filetype ? { filetype } : {}) }
}

function refusal(error: Error | DetailedError): ReelgateError {
  const answer = error instanceof DetailedError ? error.originalResponse : null
  if (!answer) return new ReelgateError(error.message, 0, "unreachable", { cause: error })
  return ReelgateError.of(answer.getStatus(), answer.getBody())
}
