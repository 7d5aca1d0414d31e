// What was deleted and can still be had back.
import type { FileQuery } from "../api/client"
import type { FileRecord } from "../api/types"
import { size, when } from "../format"
import { removeForGood, restore } from "../library/bulk"
import { useList } from "../library/list"
import { Poster } from "../library/poster"
import { SelectionBar } from "../library/selection-bar"
import { useSelection } from "../library/selection"
import type { Live } from "../live"
import type { Session } from "../session"
import { texts } from "../texts"
import { Button } from "../ui/button"
import { Empty } from "../ui/empty"
import { Heading } from "../ui/heading"
import { Problem } from "../ui/problem"

const QUERY: FileQuery = { trashed: true }

export function Trash({ session, live }: { session: Session; live: Live }) {
  const list = useList(session, live, QUERY, 0)
  const files = list.files ?? []
  const selection = useSelection(files)
  const ids = (chosen: FileRecord[]) => chosen.map((file) => file.id)
  const bringBack = (chosen: FileRecord[]) => {
    list.drop(new Set(ids(chosen)))
    void restore(session, ids(chosen), list)
  }
  return (
    <main id="main">
      <div class="title">
        <Heading title={texts.trash.title} />
      </div>
      <p class="soft">{texts.trash.lead}</p>
      {list.error && <Problem error={list.error} again={list.again} />}
      {selection.chosen.length > 0 && (
        <SelectionBar selection={selection}>
          <Button icon="restore" onClick={() => bringBack(selection.chosen)}>
            {texts.trash.restore}
          </Button>
          <Button kind="bad" icon="trash" onClick={() => void removeForGood(session, selection.chosen, list)}>
            {texts.trash.purge}
          </Button>
        </SelectionBar>
      )}
      {list.files?.length === 0 && <Empty icon="trash" title={texts.trash.empty} hint={texts.trash.emptyHint} />}
      <ul class="rows" aria-label={texts.library.list}>
        {files.map((file) => (
          <li key={file.id} class="row">
            <input
              type="checkbox"
              aria-label={texts.library.select(file.filename)}
              checked={selection.has(file.id)}
              onChange={(event) => selection.set(file.id, event.currentTarget.checked)}
            />
            <span class="thumb">
              <Poster session={session} file={{ ...file, renditions: [] }} />
            </span>
            <span class="grow">
              <strong>{file.filename}</strong>
              <span class="soft small">
                {size(file.size_bytes)}
                {file.trashed_at && ` · ${texts.trash.since(when(file.trashed_at))}`}
              </span>
            </span>
            <Button icon="restore" name={texts.trash.restoreName(file.filename)} onClick={() => bringBack([file])}>
              {texts.trash.restore}
            </Button>
          </li>
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
