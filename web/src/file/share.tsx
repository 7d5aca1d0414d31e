// A link for somebody who is not signed in: it carries a token for this one file, and lives as long as that.
import { useRef } from "preact/hooks"
import { links } from "../place"
import type { Session } from "../session"
import { texts } from "../texts"
import { useAsked } from "../ui/asked"
import { Button } from "../ui/button"
import { Dialog } from "../ui/dialog"
import { Problem } from "../ui/problem"
import { say } from "../ui/toasts"

export function Share({ session, file, close }: { session: Session; file: string; close: () => void }) {
  const granted = useAsked(() => session.tokens.share(file), [session, file])
  const field = useRef<HTMLInputElement>(null)
  const link = granted.value && `${location.origin}${location.pathname}${links.watch(file, granted.value.token)}`
  const copy = async () => {
    if (!link) return
    field.current?.select()
    // Only secure contexts may write to the clipboard by themselves.
    await (navigator.clipboard?.writeText(link) ?? Promise.reject(new Error())).catch(() => document.execCommand("copy"))
    say(texts.copied)
  }
  return (
    <Dialog title={texts.share.title} close={close}>
      {granted.error && <Problem error={granted.error} again={granted.again} />}
      {!granted.value && !granted.error && <p>{texts.share.making}</p>}
      {granted.value && link && (
        <>
          <p>{texts.share.lead(Math.round(granted.value.expires_in / 60))}</p>
          <label for="share-link">{texts.share.link}</label>
          <div class="with-button">
            <input id="share-link" ref={field} readonly value={link} onFocus={(event) => event.currentTarget.select()} />
            <Button kind="main" onClick={() => void copy()}>
              {texts.share.copy}
            </Button>
          </div>
        </>
      )}
    </Dialog>
  )
}
