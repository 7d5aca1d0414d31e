// The heading of a view. It takes the focus when the view appears, so that screen readers say where one is, and names the tab.
import { useEffect, useRef } from "preact/hooks"
import { texts } from "../texts"

let isFirst = true

export function Heading({ title, quiet = false }: { title: string; quiet?: boolean }) {
  const element = useRef<HTMLHeadingElement>(null)
  useEffect(() => {
    document.title = `${title} · ${texts.name}`
  }, [title])
  useEffect(() => {
    // When the page has just been opened the browser reads it from its beginning.
    if (!isFirst && !quiet) element.current?.focus({ preventScroll: true })
    isFirst = false
  }, [])
  return (
    <h1 ref={element} tabIndex={-1}>
      {title}
    </h1>
  )
}
