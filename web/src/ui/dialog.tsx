// A dialog before everything else: the browser keeps the focus inside and closes it by Escape.
import type { ComponentChildren } from "preact"
import { useEffect, useId, useRef } from "preact/hooks"
import { texts } from "../texts"
import { Button } from "./button"

interface Props {
  title: string
  close: () => void
  children: ComponentChildren
}

export function Dialog({ title, close, children }: Props) {
  const element = useRef<HTMLDialogElement>(null)
  const heading = useId()
  useEffect(() => {
    const dialog = element.current
    dialog?.showModal()
    return () => dialog?.close()
  }, [])
  return (
    <dialog ref={element} aria-labelledby={heading} onClose={close} onClick={(event) => event.target === element.current && close()}>
      <div class="inside">
        <header>
          <h2 id={heading}>{title}</h2>
          <Button kind="quiet" icon="close" name={texts.close} onClick={close} />
        </header>
        {children}
      </div>
    </dialog>
  )
}
