// A place where nothing is yet, and what to do about it.
import type { ComponentChildren } from "preact"
import { Icon, type IconName } from "./icon"

export function Empty({ icon, title, hint, children }: { icon: IconName; title?: string; hint?: string; children?: ComponentChildren }) {
  return (
    <div class="empty">
      <span class="medal">
        <Icon name={icon} />
      </span>
      {title && <h2>{title}</h2>}
      {hint && <p>{hint}</p>}
      {children && <div class="actions">{children}</div>}
    </div>
  )
}
