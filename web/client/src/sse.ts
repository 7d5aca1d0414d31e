// Cuts a stream of text into events (HTML, section 9.2.6). Knows nothing of what they say.

/** Without data it says only how far the stream is. */
export interface ServerEvent {
  id: string | null
  type: string
  data: string
}

export class Cutter {
  private rest = ""

  take(text: string): ServerEvent[] {
    this.rest += text
    // What ends with CR may go on with LF.
    const held = this.rest.endsWith("\r") ? "\r" : ""
    const blocks = this.rest.slice(0, this.rest.length - held.length).replace(/\r\n?/g, "\n").split("\n\n")
    this.rest = (blocks.pop() ?? "") + held
    return blocks.map(read).filter((event) => event.data !== "" || event.id !== null)
  }
}

function read(block: string): ServerEvent {
  const event: ServerEvent = { id: null, type: "message", data: "" }
  const data: string[] = []
  for (const line of block.split("\n")) {
    const colon = line.indexOf(":")
    if (colon === 0) continue
    const name = colon < 0 ? line : line.slice(0, colon)
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (name === "data") data.push(value)
    else if (name === "id" && !value.includes("\0")) event.id = value
    else if (name === "event") event.type = value
  }
  event.data = data.join("\n")
  return event
}
