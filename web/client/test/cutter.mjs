// A server in front of another that cuts the connection of the first PATCH after so many bytes.
import net from "node:net"

export async function cutting(target, after) {
  const { hostname, port } = new URL(target)
  let cut = 0
  const server = net.createServer((client) => {
    const upstream = net.connect(Number(port), hostname)
    let sent = 0
    client.on("data", (data) => {
      sent += data.length
      if (cut === 0 && sent > after) {
        cut += 1
        client.resetAndDestroy()
        upstream.end()
        return
      }
      upstream.write(data)
    })
    upstream.pipe(client)
    for (const [one, other] of [[client, upstream], [upstream, client]]) {
      one.on("error", () => other.destroy())
      one.on("close", () => other.destroy())
    }
  })
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve))
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cuts: () => cut,
    close: () => server.close(),
  }
}
