// Pictograms, drawn on a grid of 24. Never the only carrier of a meaning: their buttons have names.

const PATHS = {
  upload: "M12 16V4m0 0L7 9m5-5 5 5M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3",
  folder: "M3 7a1 1 0 0 1 1-1h5l2 2h9a1 1 0 0 1 1 1v9a1 1 0 0 1-1 1H4a1 1 0 0 1-1-1z",
  search: "M11 18a7 7 0 1 0 0-14 7 7 0 0 0 0 14zm5-2 5 5",
  play: "M8 5v14l11-7z",
  pause: "M8 5v14M16 5v14",
  close: "M6 6l12 12M18 6 6 18",
  check: "M5 12.5 10 17 19 7",
  trash: "M4 7h16M9 7V4h6v3m-9 0 1 13h10l1-13M10 11v6m4-6v6",
  restore: "M4 4v6h6M4.5 10a8 8 0 1 1-.5 4",
  share: "M10 14a4 4 0 0 0 5.7 0l3.6-3.6a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.6 3.6a4 4 0 0 0 5.7 5.7L12 17.7",
  download: "M12 4v12m0 0 5-5m-5 5-5-5M4 19h16",
  back: "M14 6l-6 6 6 6",
  alert: "M12 8v5m0 3v.5M12 3 2.5 20h19z",
  film: "M4 5h16v14H4zM8 5v14M16 5v14M4 9.7h4M4 14.3h4M16 9.7h4M16 14.3h4",
  sound: "M9 18V6l10-2v12M9 18a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0zM19 16a2.5 2.5 0 1 1-5 0 2.5 2.5 0 0 1 5 0z",
  picture: "M4 5h16v14H4zM4 16l5-5 4 4 3-3 4 4M15.5 9.5h.01",
  document: "M6 3h8l4 4v14H6zM14 3v4h4",
  up: "M6 15l6-6 6 6",
  down: "M6 9l6 6 6-6",
  plus: "M12 5v14M5 12h14",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  out: "M14 4H5v16h9M10 12h10m0 0-4-4m4 4-4 4",
} as const

export type IconName = keyof typeof PATHS

export function Icon({ name }: { name: IconName }) {
  const solid = name === "play"
  return (
    <svg class={`icon${solid ? " solid" : ""}`} viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name]} />
    </svg>
  )
}

export function kindIcon(kind: string): IconName {
  return kind === "audio" ? "sound" : kind === "image" ? "picture" : kind === "video" ? "film" : "document"
}
