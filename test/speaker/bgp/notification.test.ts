// NOTIFICATION in words, and the text that RFC 9003 lets an operator send.

import assert from 'node:assert/strict'
import { encodeMessage, decodeMessage } from '../../../speaker/bgp/message.ts'
import {
  administrativeShutdown,
  describeNotification,
  notification,
} from '../../../speaker/bgp/notification.ts'
import { notifications } from './captures.ts'

const context = { fourOctetAs: true }
const utf8 = (text: string): Uint8Array => new TextEncoder().encode(text)

describe('NOTIFICATION', () => {
  it('of FRR tells what the operator typed', () => {
    const decoded = decodeMessage(notifications.frrShutdown, context)
    assert.ok(decoded.ok && decoded.message.kind === 'notification')
    assert.equal(describeNotification(decoded.message), 'Cease / Administrative Shutdown: maintenance')
  })

  it('of ours has the bytes of FRR for the same words', () => {
    const bytes = encodeMessage(administrativeShutdown('maintenance'), context)
    assert.deepEqual(bytes, notifications.frrShutdown)
  })

  it('cuts a long text between characters, at 255 octets', () => {
    const { data } = administrativeShutdown('ü'.repeat(200))
    assert.equal(data[0], 254)
    assert.equal(data.length, 255)
    assert.match(describeNotification(administrativeShutdown('ü'.repeat(200))), /: ü{127}$/)
  })

  it('is named by code and subcode', () => {
    assert.equal(describeNotification(notification(2, 2)), 'OPEN Message Error / Bad Peer AS')
    assert.equal(describeNotification(notification(4)), 'Hold Timer Expired')
    assert.equal(describeNotification(notification(6, 99)), 'Cease / subcode 99')
    assert.equal(describeNotification(notification(99, 1)), 'error code 99 / subcode 1')
  })

  it('shows data in hex unless it is text', () => {
    assert.equal(
      describeNotification(notification(1, 2, Uint8Array.of(0, 18))),
      'Message Header Error / Bad Message Length (data 0012)',
    )
    // A length that does not fit.
    assert.equal(
      describeNotification(notification(6, 2, Uint8Array.of(9, 65))),
      'Cease / Administrative Shutdown (data 0941)',
    )
    assert.equal(
      describeNotification(notification(6, 2, Uint8Array.of(0))),
      'Cease / Administrative Shutdown',
    )
  })

  it('brings no control characters into the log', () => {
    const text = utf8('a\u001b[2Jb\n')
    const described = describeNotification(notification(6, 4, Uint8Array.of(text.length, ...text)))
    assert.equal(described, 'Cease / Administrative Reset: a [2Jb')
  })
})
