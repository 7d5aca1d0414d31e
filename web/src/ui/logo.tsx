// The mark and the name.
import { texts } from "../texts"

export function Logo() {
  return (
    <span class="logo">
      <svg viewBox="0 0 32 32" aria-hidden="true" focusable="false">
        <rect width="32" height="32" rx="8" />
        <path d="M8 8.5h3v15H8zM21 8.5h3v15h-3z" opacity=".75" />
        <path d="M13.5 11.2v9.6l7-4.8z" />
      </svg>
      {texts.name}
    </span>
  )
}
