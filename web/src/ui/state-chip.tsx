// A file's or a job's state, in a word with its colour.
import { texts } from "../texts"

export function StateChip({ state, word }: { state: string; word?: string }) {
  return <span class={`chip ${state}`}>{word ?? texts.states[state] ?? state}</span>
}
