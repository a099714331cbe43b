// What a backend of the lab serves, on every VIP that its agent puts on lo: HTTP on 80, a line echo on 8080 for
// connections that are to last, UDP echo on 5353. Every answer begins with this host's name.
//
//   curl http://VIP/            be2 198.51.100.1:80 10.9.1.2:40312
//   curl http://VIP/bytes/N     N bytes, for throughput
import { createSocket } from 'node:dgram'
import { createServer as createHttpServer } from 'node:http'
import { createServer } from 'node:net'
import { hostname, networkInterfaces } from 'node:os'

const name = hostname()
const ports = { http: 80, echo: 5353, stream: 8080 }
const plain = (address) => address.replace(/^::ffff:/, '')

createHttpServer((request, response) => {
  const { localAddress, localPort, remoteAddress, remotePort } = request.socket
  const [, bytes] = /^\/bytes\/(\d{1,9})$/.exec(request.url ?? '') ?? []
  response.setHeader('content-type', 'text/plain')
  response.end(
    bytes === undefined
      ? `${name} ${plain(localAddress)}:${localPort} ${plain(remoteAddress)}:${remotePort}\n`
      : Buffer.alloc(Number(bytes), `${name} `),
  )
}).listen(ports.http, '::')

createServer({ noDelay: true }, (socket) => {
  let rest = ''
  socket.setEncoding('utf8')
  socket.on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    if (rest.length > 65536) socket.destroy()
    for (const line of lines) socket.write(`${name} ${line}\n`)
  })
  socket.on('error', () => socket.destroy())
}).listen(ports.stream, '::')

// A wildcard UDP socket would answer from whatever address the route prefers: each VIP has a socket of its own.
const sockets = new Map()
function followAddresses() {
  const addresses = Object.values(networkInterfaces())
    .flat()
    .filter(({ address }) => !address.startsWith('fe80:'))
  for (const { address, family } of addresses) {
    if (sockets.has(address)) continue
    const socket = createSocket(family === 'IPv4' ? 'udp4' : 'udp6')
    sockets.set(address, socket)
    socket.on('message', (message, { address: client, port }) =>
      socket.send(`${name} ${message}`, port, client),
    )
    socket.on('error', () => {
      socket.close()
      sockets.delete(address)
    })
    socket.bind(ports.echo, address)
  }
  for (const [address, socket] of sockets) {
    if (addresses.some((each) => each.address === address)) continue
    sockets.delete(address)
    socket.close()
  }
}
followAddresses()
setInterval(followAddresses, 250)
