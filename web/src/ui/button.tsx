// Buttons, with an icon, a word or both.
import type { ComponentChildren } from "preact"
import { Icon, type IconName } from "./icon"

interface Props {
  icon?: IconName
  /** What it is called where no word, or too short a word, is shown. */
  name?: string
  kind?: "main" | "plain" | "quiet" | "bad"
  disabled?: boolean
  submit?: boolean
  expanded?: boolean
  onClick?: (event: MouseEvent) => void
  children?: ComponentChildren
}

export function Button({ icon, name, kind = "plain", disabled, submit, expanded, onClick, children }: Props) {
  const bare = children === undefined
  return (
    <button
      type={submit ? "submit" : "button"}
      class={`button ${kind}${bare ? " bare" : ""}`}
      aria-label={name}
      title={bare ? name : undefined}
      aria-expanded={expanded}
      disabled={disabled}
      onClick={onClick}
    >
      {icon && <Icon name={icon} />}
      {children}
    </button>
  )
}
