// Short news, read out by screen readers, gone after a while; one may be answered.
import { Store, useStore } from "../store"
import { texts } from "../texts"
import { Button } from "./button"

interface Toast {
  id: number
  text: string
  action?: { name: string; run: () => void } | undefined
}

const STAY_MS = 8_000
const toasts = new Store<Toast[]>([])
let next = 1

export function say(text: string, action?: Toast["action"]): void {
  const toast = { id: next++, text, action }
  toasts.set([...toasts.value.slice(-2), toast])
  setTimeout(() => dismiss(toast.id), STAY_MS)
}

function dismiss(id: number): void {
  toasts.set(toasts.value.filter((toast) => toast.id !== id))
}

export function Toasts() {
  const shown = useStore(toasts)
  return (
    <div class="toasts" role="status" aria-live="polite">
      {shown.map((toast) => (
        <div class="toast" key={toast.id}>
          <span>{toast.text}</span>
          {toast.action && (
            <Button
              kind="quiet"
              onClick={() => {
                toast.action?.run()
                dismiss(toast.id)
              }}
            >
              {toast.action.name}
            </Button>
          )}
          <Button kind="quiet" icon="close" name={texts.close} onClick={() => dismiss(toast.id)} />
        </div>
      ))}
    </div>
  )
}
