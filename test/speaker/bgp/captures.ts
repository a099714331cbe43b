// Messages as other implementations send them, from captures of sessions with this speaker: AS 65002 at 10.78.0.2 and
// fd78::2, hold time 9 s, `tshark -i eth0 -w FILE -f 'tcp port 179'`, payloads by `tshark -r FILE -Y bgp -T fields -e
// tcp.payload`. FRR 8.4.4, BIRD 2.0.12 and GoBGP 3.10.0 of Debian 12. The prefixes were given to each as static
// networks: 203.0.113.0/25 with communities and MED, 203.0.113.128/25 bare, 2001:db8:77::/48; FRR's other two are our
// own 198.51.100.1/32 and 2001:db8::1/128 on their way back.

import { fromHex } from '../../../net/bytes.ts'

const marker = 'ff'.repeat(16)

/** Bytes of a message whose hex begins after the marker. */
export function captured(hexAfterMarker: string): Uint8Array {
  return fromHex(marker + hexAfterMarker)!
}

export const opens = {
  frr: captured(
    '00710104fdea00090a4e00025402060104000100010206010400020001020280000202020002024600020641040000fdea02020600020a450800010101000201010206490402766d0002044002c0780210470e0001018000000000020180000000',
  ),
  bird: captured('003b0104fdea00090a4e00021e021c01040001000101040002000102004002007841040000fdea46004700'),
  gobgp: captured(
    '00410104fdea00090a4e00022402220200490402766d0001040001000101040002000141040000fdea0506000100010002',
  ),
}

export const updates = {
  frr: {
    ipv4: captured(
      '004b020000002f400101005002000a02020000fdea0000fde94003040a4e0002c00804fde90001c0200c00000001000000020000000320c6336401',
    ),
    /** Two next hops: global and link-local. */
    ipv6Returned: captured(
      '006a0200000053900e003600020120fd780000000000000000000000000002fe800000000000002c906ffffe5b0dd4008020010db8000000000000000000000001400101005002000a02020000fdea0000fde9c00804fde90001',
    ),
    ipv6: captured(
      '005c0200000045900e002c00020120fd780000000000000000000000000002fe800000000000002c906ffffe5b0dd4003020010db80077400101005002000602010000fdea80040400000000',
    ),
    ipv6Withdrawal: captured('0025020000000e900f000a0002013020010db80077'),
  },
  bird: {
    communities: captured(
      '0046020000002a4001010040020602010000fdea4003040a4e0002c00804fdea0064c0200c0000fdea000000010000000219cb007100',
    ),
    bare: captured('003002000000144001010040020602010000fdea4003040a4e000219cb007180'),
    ipv6: captured(
      '0054020000003d900e002c00020120fd780000000000000000000000000002fe80000000000000e44c7cfffe4e5aea003020010db800774001010040020602010000fdea',
    ),
    ipv4Withdrawal: captured('002102000a19cb00718019cb0071000000'),
    ipv6Withdrawal: captured('0025020000000e900f000a0002013020010db80077'),
    ipv4EndOfRib: captured('00170200000000'),
    ipv6EndOfRib: captured('001d0200000006800f03000201'),
  },
  gobgp: {
    communities: captured(
      '004d02000000314001010240020602010000fdea4003040a4e00028004040000002ac00804fdea0064c0200c0000fdea000000010000000219cb007100',
    ),
    ipv6: captured(
      '0043020000002c4001010240020602010000fdea800e1c00020110fd780000000000000000000000000002003020010db80077',
    ),
    ipv4Withdrawal: captured('001c02000519cb0071800000'),
    ipv6Withdrawal: captured('0024020000000d800f0a0002013020010db80077'),
  },
}

export const notifications = {
  /** `neighbor 10.78.0.1 shutdown message maintenance`; BIRD's `disable tor "maintenance"` gives the same. */
  frrShutdown: captured('00210306020b6d61696e74656e616e6365'),
  /** `gobgp neighbor 10.78.0.1 shutdown`: no text. */
  gobgpShutdown: captured('0015030602'),
}

/** `clear bgp * soft in` of FRR. */
export const routeRefreshes = { ipv4: captured('00170500010001'), ipv6: captured('00170500020001') }
