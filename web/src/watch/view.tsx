// A film that somebody was given a link to: it plays, and nothing else. Nobody is signed in here.
import { useMemo } from "preact/hooks"
import { parameters } from "../api/client"
import { fromBody } from "../api/error"
import { LazyPlayer } from "../player/lazy"
import { texts } from "../texts"
import { useAsked } from "../ui/asked"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Heading } from "../ui/heading"
import { Logo } from "../ui/logo"
import { Problem } from "../ui/problem"

export function Watch({ id, token }: { id: string; token: string }) {
  const board = useAsked(() => look(id, token), [id, token])
  const granted = useMemo(() => () => Promise.resolve(token), [token])
  const { error } = board
  return (
    <>
      <header class="top">
        <Logo />
      </header>
      <main id="main" class="watch">
        <Heading title={texts.watch.title} quiet />
        {error && error.status === 401 && <Empty icon="film" title={texts.watch.dead} hint={texts.watch.deadHint} />}
        {error && error.status === 409 && (
          <Empty icon="film" title={texts.watch.notYet} hint={texts.watch.notYetHint}>
            <Button onClick={board.again}>{texts.errors.reload}</Button>
          </Empty>
        )}
        {error && ![401, 409].includes(error.status) && <Problem error={error} again={board.again} />}
        {board.value && (
          <LazyPlayer
            id={id}
            title={texts.watch.title}
            token={granted}
            hasPoster={board.value.isVideo}
            hasStoryboard={board.value.isVideo}
            isAudio={!board.value.isVideo}
          />
        )}
      </main>
    </>
  )
}

/** Whether the link still holds, and what it leads to; this also opens the lease under which it goes on holding. */
async function look(id: string, token: string): Promise<{ isVideo: boolean }> {
  const answer = await fetch(`/v1/files/stream/${id}?${parameters({ token })}`, { headers: { Range: "bytes=0-0" } })
  if (!answer.ok) throw fromBody(answer.status, await answer.json().catch(() => null), answer.headers)
  return { isVideo: (answer.headers.get("Content-Type") ?? "").startsWith("video/") }
}
