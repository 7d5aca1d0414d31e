// The library: every file of the organisation.
import { useState } from "preact/hooks"
import type { Live } from "../live"
import type { Session } from "../session"
import { useStore } from "../store"
import { texts } from "../texts"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Heading } from "../ui/heading"
import { Problem } from "../ui/problem"
import { useSettled } from "../ui/settled"
import type { Uploads } from "../uploads/queue"
import { remove } from "./bulk"
import { Card } from "./card"
import { Filters } from "./filters"
import { useList } from "./list"
import { useProgress } from "./progress"
import { ANYTHING, isNarrow, keep, kept, toQuery, type Wish } from "./query"
import { SelectionBar } from "./selection-bar"
import { useSelection } from "./selection"

interface Props {
  session: Session
  live: Live
  uploads: Uploads
  chooseFiles: () => void
  chooseFolder: () => void
}

export function Library({ session, live, uploads, chooseFiles, chooseFolder }: Props) {
  const [wish, setWish] = useState<Wish>(kept)
  const finished = useStore(uploads.finished)
  const list = useList(session, live, toQuery(useSettled(wish)), finished)
  const progress = useProgress(live)
  const selection = useSelection(list.files ?? [])
  const change = (changed: Wish) => {
    keep(changed)
    setWish(changed)
  }
  const nothing = list.files?.length === 0
  return (
    <main id="main">
      <div class="title">
        <Heading title={texts.library.title} />
        <Button icon="folder" onClick={chooseFolder}>
          {texts.uploads.folder}
        </Button>
        <Button kind="main" icon="upload" onClick={chooseFiles}>
          {texts.uploads.choose}
        </Button>
      </div>
      <Filters wish={wish} change={change} />
      {list.error && <Problem error={list.error} again={list.again} />}
      {selection.chosen.length > 0 && (
        <SelectionBar selection={selection}>
          <Button kind="bad" icon="trash" onClick={() => void remove(session, selection.chosen, list)}>
            {texts.library.trashSelected}
          </Button>
        </SelectionBar>
      )}
      {!list.files && !list.error && <Skeletons />}
      {nothing && isNarrow(wish) && (
        <Empty icon="search" title={texts.library.nothing} hint={texts.library.nothingHint}>
          <Button onClick={() => change({ ...ANYTHING, sort: wish.sort })}>{texts.library.clear}</Button>
        </Empty>
      )}
      {nothing && !isNarrow(wish) && (
        <Empty icon="film" title={texts.library.empty} hint={texts.library.emptyHint}>
          <Button kind="main" icon="upload" onClick={chooseFiles}>
            {texts.uploads.choose}
          </Button>
        </Empty>
      )}
      <ul class="grid" aria-label={texts.library.list}>
        {(list.files ?? []).map((file) => (
          <Card
            key={file.id}
            session={session}
            file={file}
            progress={progress.get(file.id)}
            selected={selection.has(file.id)}
            select={(on) => selection.set(file.id, on)}
          />
        ))}
      </ul>
      {list.more && (
        <div class="more">
          <Button onClick={list.showMore}>{texts.more}</Button>
        </div>
      )}
    </main>
  )
}

function Skeletons() {
  return (
    <div class="grid" aria-hidden="true">
      {Array.from({ length: 8 }, (_, number) => (
        <div class="card skeleton" key={number}>
          <div class="still" />
          <div class="words" />
        </div>
      ))}
    </div>
  )
}
