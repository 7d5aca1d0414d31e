// What can be done with all selected files at once.
import type { ComponentChildren } from "preact"
import { texts } from "../texts"
import { Button } from "../ui/button"
import type { Selection } from "./selection"

export function SelectionBar({ selection, children }: { selection: Selection; children: ComponentChildren }) {
  return (
    <div class="selection" role="region" aria-label={texts.library.bulk}>
      <strong>{texts.library.selected(selection.chosen.length)}</strong>
      <Button kind="quiet" onClick={selection.all}>
        {texts.library.selectAll}
      </Button>
      <Button kind="quiet" onClick={selection.none}>
        {texts.library.unselect}
      </Button>
      <span class="push" />
      {children}
    </div>
  )
}
