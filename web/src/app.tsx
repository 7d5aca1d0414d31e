// The page: which view is shown, and what stands around all of them.
import { useCallback, useEffect, useMemo, useRef } from "preact/hooks"
import { Admin } from "./admin/view"
import { FilePage } from "./file/view"
import { Header } from "./header"
import { Library } from "./library/view"
import { Live } from "./live"
import { type Place, place } from "./place"
import { type Session, session } from "./session"
import { SignIn } from "./sign-in"
import { useStore } from "./store"
import { texts } from "./texts"
import { Trash } from "./trash/view"
import { Questions } from "./ui/ask"
import { say, Toasts } from "./ui/toasts"
import { Choosers } from "./uploads/choose"
import { DropZone } from "./uploads/drop-zone"
import type { Picked } from "./uploads/picked"
import { Uploads } from "./uploads/queue"
import { Tray } from "./uploads/tray"
import { Watch } from "./watch/view"

export function App() {
  const here = useStore(place)
  const signedIn = useStore(session)
  return (
    <>
      <a class="skip" href="#main" onClick={skip}>
        {texts.skip}
      </a>
      {here.view === "watch" ? (
        <Watch key={here.id + here.token} id={here.id} token={here.token} />
      ) : signedIn ? (
        <Inside key={signedIn.client.jwt} session={signedIn} place={here} />
      ) : (
        <SignIn />
      )}
      <Toasts />
      <Questions />
    </>
  )
}

/** The fragment says which view is shown, so it cannot say which element. */
function skip(event: Event): void {
  event.preventDefault()
  document.querySelector<HTMLElement>("#main h1")?.focus()
}

function Inside({ session, place: here }: { session: Session; place: Place }) {
  const live = useMemo(() => new Live(session.client.jwt), [session])
  const uploads = useMemo(() => new Uploads(session), [session])
  const files = useRef<HTMLInputElement>(null)
  const folder = useRef<HTMLInputElement>(null)
  const chooseFiles = useCallback(() => files.current?.click(), [])
  const chooseFolder = useCallback(() => folder.current?.click(), [])
  useEffect(
    () => () => {
      live.stop()
      uploads.stop()
    },
    [live, uploads],
  )
  const take = useCallback(
    (picked: Picked[]) => {
      if (picked.length === 0) say(texts.uploads.emptyFolder)
      const known = uploads.add(picked)
      if (known[0]) say(texts.uploads.goesOn(known[0].file.name))
    },
    [uploads],
  )
  return (
    <>
      <Header session={session} place={here} />
      {here.view === "library" && (
        <Library session={session} live={live} uploads={uploads} chooseFiles={chooseFiles} chooseFolder={chooseFolder} />
      )}
      {here.view === "trash" && <Trash session={session} live={live} />}
      {here.view === "file" && <FilePage key={here.id} session={session} live={live} id={here.id} />}
      {here.view === "admin" && <Admin session={session} live={live} section={here.section} />}
      <footer class="bottom">
        {HAS_DOCS && <a href="/docs">{texts.nav.docs}</a>}
        <a href="/licences.txt">{texts.nav.licences}</a>
      </footer>
      <Choosers files={files} folder={folder} take={take} />
      <DropZone take={take} />
      <Tray uploads={uploads} choose={chooseFiles} />
    </>
  )
}
