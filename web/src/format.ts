// Figures for people: sizes, durations, times. Pure.

const UNITS = ["B", "KB", "MB", "GB", "TB", "PB"]

export function size(bytes: number): string {
  let step = 0
  let value = bytes
  while (value >= 1000 && step < UNITS.length - 1) {
    value /= 1000
    step += 1
  }
  return `${value.toFixed(step > 0 && value < 9.95 ? 1 : 0)} ${UNITS[step] ?? ""}`
}

export function bitrate(bits: number): string {
  return bits >= 1e6 ? `${(bits / 1e6).toFixed(1)} Mbit/s` : `${Math.round(bits / 1000)} kbit/s`
}

/** As a clock shows it: 1:02:03. */
export function clock(ms: number): string {
  const seconds = Math.round(ms / 1000)
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60]
  const tail = `${String(s).padStart(2, "0")}`
  return h > 0 ? `${h}:${String(m).padStart(2, "0")}:${tail}` : `${m}:${tail}`
}

/** As people say it: 3 min. */
export function span(ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 1000))
  if (seconds < 60) return `${seconds} s`
  const minutes = Math.round(seconds / 60)
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.round(hours / 24)} days`
}

const WHEN = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium", timeStyle: "short" })

export function when(time: string): string {
  return WHEN.format(new Date(time))
}

/** How long ago: "just now", "5 min ago". */
export function ago(time: string, now = Date.now()): string {
  const passed = now - Date.parse(time)
  return passed < 10_000 ? "just now" : `${span(passed)} ago`
}

export function percent(progress: number): number {
  return Math.floor(Math.min(1, Math.max(0, progress)) * 100)
}

/** A fraction such as frames per second. */
export function fraction([over, under]: [number, number]): string {
  return under === 0 ? "–" : String(Math.round((over / under) * 100) / 100)
}

const LANGUAGES = new Intl.DisplayNames(["en"], { type: "language" })

/** A language's name in English, or its tag. */
export function language(tag: string): string {
  try {
    return tag === "und" ? "Unknown language" : (LANGUAGES.of(tag) ?? tag)
  } catch {
    return tag
  }
}
