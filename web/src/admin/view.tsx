// For administrators: what waits, what fails, who works, who watches, what is used, and who is told.
import type { ComponentType } from "preact"
import { links } from "../place"
import { mayAdminister } from "../session"
import { texts } from "../texts"
import { Empty } from "../ui/empty"
import { Heading } from "../ui/heading"
import { Failures } from "./failures"
import { Playing } from "./playing"
import { Queue } from "./queue"
import type { SectionProps } from "./section"
import { Storage } from "./storage"
import { Webhooks } from "./webhooks"
import { Workers } from "./workers"

const SECTIONS: Record<string, { name: string; Section: ComponentType<SectionProps> }> = {
  queue: { name: texts.admin.queue, Section: Queue },
  failures: { name: texts.admin.failures, Section: Failures },
  workers: { name: texts.admin.workers, Section: Workers },
  playing: { name: texts.admin.playing, Section: Playing },
  storage: { name: texts.admin.storage, Section: Storage },
  webhooks: { name: texts.admin.webhooks, Section: Webhooks },
}

export function Admin({ session, live, section }: SectionProps & { section: string }) {
  if (!mayAdminister(session.who)) {
    return (
      <main id="main">
        <Heading title={texts.admin.title} />
        <Empty icon="alert" title={texts.admin.notAdmin} hint={texts.admin.notAdminHint} />
      </main>
    )
  }
  const shown = SECTIONS[section] ? section : "queue"
  const { name, Section } = SECTIONS[shown] ?? { name: texts.admin.queue, Section: Queue }
  return (
    <main id="main" class="admin">
      <div class="title">
        <Heading title={texts.admin.title} />
      </div>
      <nav class="tabs" aria-label={texts.admin.sections}>
        {Object.entries(SECTIONS).map(([key, one]) => (
          <a key={key} href={links.admin(key)} aria-current={key === shown ? "page" : undefined}>
            {one.name}
          </a>
        ))}
      </nav>
      <div class="panel">
        <h2 class="visually-hidden">{name}</h2>
        <Section key={shown} session={session} live={live} />
      </div>
    </main>
  )
}
