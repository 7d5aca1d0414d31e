// Signing in: a token, pasted.
import { useState } from "preact/hooks"
import { enter, farewell } from "./session"
import { useStore } from "./store"
import { texts } from "./texts"
import { Button } from "./ui/button"
import { Heading } from "./ui/heading"
import { Icon } from "./ui/icon"
import { Logo } from "./ui/logo"

export function SignIn() {
  const why = useStore(farewell)
  const [jwt, setJwt] = useState("")
  const [wrong, setWrong] = useState(false)
  const submit = (event: Event) => {
    event.preventDefault()
    setWrong(!enter(jwt))
  }
  return (
    <main id="main" class="sign-in">
      <div class="card">
        <Logo />
        <Heading title={texts.signIn.title} quiet />
        <p class="soft">{texts.signIn.lead}</p>
        {why && (
          <p class="note" role="status">
            <Icon name="alert" /> {why}
          </p>
        )}
        <form onSubmit={submit}>
          <label for="jwt">{texts.signIn.label}</label>
          <input
            id="jwt"
            type="password"
            autocomplete="off"
            spellcheck={false}
            required
            value={jwt}
            aria-describedby={wrong ? "jwt-wrong jwt-hint" : "jwt-hint"}
            aria-invalid={wrong}
            onInput={(event) => setJwt(event.currentTarget.value)}
          />
          {wrong && (
            <p id="jwt-wrong" class="wrong" role="alert">
              {texts.signIn.malformed}
            </p>
          )}
          <p id="jwt-hint" class="soft small">
            {texts.signIn.hint}
            <code>{texts.signIn.command}</code>
          </p>
          <Button kind="main" submit>
            {texts.signIn.submit}
          </Button>
        </form>
      </div>
    </main>
  )
}
