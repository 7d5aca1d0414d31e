// A question before something that cannot be taken back.
import { Store, useStore } from "../store"
import { texts } from "../texts"
import { Button } from "./button"
import { Dialog } from "./dialog"

interface Question {
  text: string
  yes: string
  answer: (yes: boolean) => void
}

const question = new Store<Question | null>(null)

export function ask(text: string, yes: string): Promise<boolean> {
  return new Promise((resolve) => {
    question.value?.answer(false)
    const answer = (answered: boolean) => {
      question.set(null)
      resolve(answered)
    }
    question.set({ text, yes, answer })
  })
}

export function Questions() {
  const asked = useStore(question)
  if (!asked) return null
  return (
    <Dialog title={asked.text} close={() => asked.answer(false)}>
      <div class="actions end">
        <Button onClick={() => asked.answer(false)}>{texts.confirm.no}</Button>
        <Button kind="bad" onClick={() => asked.answer(true)}>
          {asked.yes}
        </Button>
      </div>
    </Dialog>
  )
}
