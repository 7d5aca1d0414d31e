// What is served as it is.
import { cp } from "node:fs/promises"

export async function copyPublic(web, made) {
  await cp(new URL("public/", web), made, { recursive: true })
}
