// What stands above every view.
import { leave, mayAdminister, type Session } from "./session"
import { links, type Place } from "./place"
import { texts } from "./texts"
import { Button } from "./ui/button"
import { Logo } from "./ui/logo"

export function Header({ session, place }: { session: Session; place: Place }) {
  const { who } = session
  const at = (views: string[]) => (views.includes(place.view) ? "page" : undefined)
  return (
    <header class="top">
      <a class="home" href={links.library}>
        <Logo />
      </a>
      <nav aria-label={texts.nav.label}>
        <a href={links.library} aria-current={at(["library", "file"])}>
          {texts.nav.library}
        </a>
        <a href={links.trash} aria-current={at(["trash"])}>
          {texts.nav.trash}
        </a>
        {mayAdminister(who) && (
          <a href={links.admin()} aria-current={at(["admin"])}>
            {texts.nav.admin}
          </a>
        )}
      </nav>
      <span class="who" title={texts.nav.signedInAs(who.sub, who.org)}>
        <span class="sub">{who.sub}</span> <span class="org">{who.org}</span>
      </span>
      <Button kind="quiet" icon="out" name={texts.nav.signOut} onClick={() => leave()} />
    </header>
  )
}
