// What narrows and orders the list.
import { texts } from "../texts"
import { Icon } from "../ui/icon"
import type { Wish } from "./query"

interface Props {
  wish: Wish
  change: (wish: Wish) => void
}

export function Filters({ wish, change }: Props) {
  const pick = (name: keyof Wish) => (event: Event) => change({ ...wish, [name]: (event.currentTarget as HTMLInputElement).value })
  const words = texts.library
  return (
    <div class="filters" role="search">
      <label class="search">
        <Icon name="search" />
        <span class="visually-hidden">{words.search}</span>
        <input type="search" placeholder={words.search} value={wish.text} onInput={pick("text")} />
      </label>
      <Choice label={words.state} value={wish.state} any={words.anyState} options={texts.states} onChange={pick("state")} />
      <Choice label={words.kind} value={wish.kind} any={words.anyKind} options={texts.kinds} onChange={pick("kind")} />
      <label class="tag-filter">
        <span class="visually-hidden">{words.tag}</span>
        <input type="text" placeholder={words.tagHint} value={wish.tag} onInput={pick("tag")} />
      </label>
      <Choice label={words.sort} value={wish.sort} options={words.sorts} onChange={pick("sort")} />
    </div>
  )
}

interface ChoiceProps {
  label: string
  value: string
  any?: string
  options: Record<string, string>
  onChange: (event: Event) => void
}

function Choice({ label, value, any, options, onChange }: ChoiceProps) {
  return (
    <label>
      <span class="visually-hidden">{label}</span>
      <select value={value} onChange={onChange}>
        {any && <option value="">{any}</option>}
        {Object.entries(options).map(([name, word]) => (
          <option key={name} value={name}>
            {word}
          </option>
        ))}
      </select>
    </label>
  )
}
