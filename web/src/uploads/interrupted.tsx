// Uploads of an earlier visit that wait for their file: the browser has forgotten it, and has to be given it again.
import { size } from "../format"
import { useStore } from "../store"
import { texts } from "../texts"
import { Bar } from "../ui/bar"
import { Button } from "../ui/button"
import type { Uploads } from "./queue"
import type { Remembered } from "./remembered"

interface Props {
  uploads: Uploads
  choose: () => void
}

export function Interrupted({ uploads, choose }: Props) {
  const remembered = useStore(uploads.shelf.all)
  const all = useStore(uploads.all)
  const left = remembered.filter((one) => !all.some((upload) => upload.key === one.key))
  return (
    <>
      {left.map((one) => (
        <Row key={one.key} one={one} choose={choose} forget={() => uploads.shelf.forget(one.key)} />
      ))}
    </>
  )
}

function Row({ one, choose, forget }: { one: Remembered; choose: () => void; forget: () => void }) {
  return (
    <li class="upload interrupted">
      <div class="line">
        <span class="name" title={one.name}>
          {one.name}
        </span>
        <span class="actions">
          <Button kind="quiet" name={texts.uploads.chooseAgainName(one.name)} onClick={choose}>
            {texts.uploads.chooseAgain}
          </Button>
          <Button kind="quiet" icon="close" name={texts.uploads.forgetName(one.name)} onClick={forget} />
        </span>
      </div>
      <Bar value={one.size ? one.sent / one.size : 0} name={texts.uploads.progress(one.name)} tone="paused" />
      <p class="small">
        {texts.uploads.interrupted} · {texts.uploads.sent(size(one.sent), size(one.size))}. {texts.uploads.interruptedHint}
      </p>
    </li>
  )
}
