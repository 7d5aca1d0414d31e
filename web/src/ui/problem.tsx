// An error as people should meet it: the server's sentence, what to do, and the code to quote.
import type { ApiError } from "../api/error"
import { advice } from "../advice"
import { span } from "../format"
import { texts } from "../texts"
import { Button } from "./button"
import { Icon } from "./icon"

export function Problem({ error, again }: { error: ApiError; again?: () => void }) {
  const hint = advice(error.code)
  return (
    <div class="problem" role="alert">
      <Icon name="alert" />
      <div>
        <p class="sentence">{error.message}</p>
        {hint && <p>{hint}</p>}
        <p class="code">
          {texts.errors.code(error.code)}
          {error.retryAfter && ` · ${texts.errors.retryAfter(span(error.retryAfter * 1000))}`}
          {error.requestId && ` · ${texts.errors.request(error.requestId)}`}
        </p>
      </div>
      {again && <Button onClick={again}>{texts.errors.reload}</Button>}
    </div>
  )
}
