// The embedded store: what was saved is there, whatever happens to the process; what is not ours is not touched.

import assert from 'node:assert/strict'
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type Readable } from 'node:stream'
import fc from 'fast-check'
import { type Allocation } from '../../allocator/model.ts'
import { openAllocationStore } from '../../allocator/stores/sqlite.ts'
import { SystemError } from '../../system/errors.ts'
import { held } from './support.ts'
import { history } from './writer.ts'

const applicationId = 0x546f7269

let directory: string
let path: string
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), `torii-store-${process.pid}-`))
  path = join(directory, 'allocations.db')
})
afterEach(() => rmSync(directory, { recursive: true, force: true }))

/** What a store opened on the file for a moment holds. */
function kept(): readonly Allocation[] {
  const store = openAllocationStore(path)
  try {
    return store.load()
  } finally {
    store.close()
  }
}

function save(allocations: readonly Allocation[]): void {
  const store = openAllocationStore(path)
  store.save(allocations)
  store.close()
}

function foreign(sql: string): void {
  const database = new DatabaseSync(path)
  database.exec(sql)
  database.close()
}

function refuses(pattern: RegExp): void {
  const before = readFileSync(path)
  assert.throws(
    () => openAllocationStore(path),
    (error) => {
      assert.ok(error instanceof SystemError)
      assert.equal(error.op, 'open')
      assert.equal(error.target, path)
      assert.ok(error.remedy !== undefined && error.remedy !== '')
      assert.match(error.message, pattern)
      return true
    },
  )
  assert.deepEqual(readFileSync(path), before)
}

const a = held('default/a', ['192.0.2.1', 'p', 2])
const b = held('default/b', ['192.0.2.2', 'p', 3], ['2001:db8::2', 'q', 63])
const c = held('default/c', ['2001:db8::3', 'p', 1])

describe('the embedded store', () => {
  it('is made with its directory, and is empty then', () => {
    path = join(directory, 'not', 'yet', 'there.db')
    assert.deepEqual(kept(), [])
    assert.ok(existsSync(path))
  })

  it('keeps what was saved, in its order, over a restart', () => {
    save([b, a, c])
    assert.deepEqual(kept(), [b, a, c])
  })

  it('keeps any sequence of states, before and after a restart', () => {
    const entry = (i: number): fc.Arbitrary<Allocation> =>
      fc.constantFrom(
        held(`s${i}`, ['192.0.2.1', 'p', 2]),
        held(`s${i}`, ['192.0.2.1', 'q', 2]),
        held(`s${i}`, ['192.0.2.9', 'p', 7], ['2001:db8::9', 'p', 7]),
      )
    const state = fc.shuffledSubarray([0, 1, 2, 3, 4, 5]).chain((chosen) => fc.tuple(...chosen.map(entry)))
    fc.assert(
      fc.property(fc.array(state, { minLength: 1, maxLength: 5 }), (states) => {
        rmSync(path, { force: true })
        let store = openAllocationStore(path)
        for (const each of states) {
          store.save(each)
          assert.deepEqual(store.load(), each)
        }
        store.close()
        store = openAllocationStore(path)
        assert.deepEqual(store.load(), states.at(-1))
        store.close()
      }),
      { numRuns: 40 },
    )
  })

  it('writes only what is different', () => {
    save([a, b, c])
    // Every change of a row leaves a trace in a table that only this test knows.
    foreign(`CREATE TABLE trace (what TEXT);
      CREATE TRIGGER i AFTER INSERT ON vip BEGIN INSERT INTO trace VALUES ('+' || new.service || new.family); END;
      CREATE TRIGGER d AFTER DELETE ON vip BEGIN INSERT INTO trace VALUES ('-' || old.service || old.family); END;`)
    save([a, b, c])
    save([a, c, held('default/d', ['192.0.2.4', 'p', 4])])
    const database = new DatabaseSync(path)
    const trace = database.prepare('SELECT what FROM trace').all()
    database.close()
    assert.deepEqual(
      trace.map(({ what }) => what),
      ['-default/b4', '-default/b6', '+default/d4'],
    )
  })

  it('keeps all as it was when a save fails, and goes on', () => {
    save([a])
    foreign(`CREATE TRIGGER t BEFORE INSERT ON vip WHEN new.service = 'default/c'
      BEGIN SELECT RAISE(ABORT, 'no room'); END`)
    const store = openAllocationStore(path)
    assert.throws(
      () => store.save([b, c]),
      (error) => error instanceof SystemError && error.op === 'write' && error.message.includes('no room'),
    )
    assert.deepEqual(store.load(), [a])
    store.save([a, b])
    store.close()
    assert.deepEqual(kept(), [a, b])
  })

  it('says so when the file system is full, and goes on when there is room', function () {
    if (process.getuid?.() !== 0) this.skip()
    const mount = (args: readonly string[]): void => {
      const { status, stderr } = spawnSync(args[0] ?? '', args.slice(1), { encoding: 'utf8' })
      assert.equal(status, 0, stderr)
    }
    mount(['mount', '-t', 'tmpfs', '-o', 'size=128k', 'torii-store', directory])
    try {
      const store = openAllocationStore(path)
      store.save([a])
      const ballast = join(directory, 'ballast')
      assert.throws(() => writeFileSync(ballast, Buffer.alloc(1 << 20)), /ENOSPC/)
      assert.throws(
        () => store.save(history(1)),
        (error) => error instanceof SystemError && /full.*free space/.test(error.message),
      )
      assert.deepEqual(store.load(), [a])
      rmSync(ballast)
      store.save(history(2))
      store.close()
      assert.deepEqual(kept(), history(2))
    } finally {
      mount(['umount', '-l', directory])
    }
  })

  it('is one process at a time', () => {
    const store = openAllocationStore(path)
    store.save([a])
    refuses(/locked.*stop the other daemon/)
    store.close()
    assert.deepEqual(kept(), [a])
  })
})

describe('a file that is not an allocation store', () => {
  it('is refused when it is no SQLite file', () => {
    writeFileSync(path, 'addresses:\n- 192.0.2.1\n'.repeat(100))
    refuses(/not a database.*name another file/)
  })

  it('is refused when it belongs to another program', () => {
    foreign('CREATE TABLE users (name TEXT); INSERT INTO users VALUES (1)')
    refuses(/another program/)
    rmSync(path)
    foreign('PRAGMA application_id = 7; CREATE TABLE vip (name TEXT)')
    refuses(/another program/)
  })

  it('is refused when a newer release wrote it', () => {
    save([a])
    foreign('PRAGMA user_version = 2; PRAGMA journal_mode = DELETE')
    refuses(/schema version 2, expected 1.*run the release that wrote it/)
  })

  it('is refused when it is damaged', () => {
    save(history(0))
    foreign('PRAGMA journal_mode = DELETE')
    const whole = readFileSync(path)
    truncateSync(path, whole.length - 4096)
    refuses(/restore it from a copy/)
    // A wrong count of free pages in the header: reading the rows alone would not notice.
    writeFileSync(
      path,
      whole.map((byte, i) => (i === 39 ? byte ^ 1 : byte)),
    )
    refuses(/restore it from a copy/)
    // Noise over the second page, where the rows are.
    writeFileSync(
      path,
      whole.map((byte, i) => (i >= 4096 && i < 4300 ? byte ^ 0x5a : byte)),
    )
    refuses(/restore it from a copy/)
  })

  it('is refused when a row makes no sense', () => {
    save([a])
    foreign("UPDATE vip SET ip = '192.0.2.256'; PRAGMA journal_mode = DELETE")
    refuses(/'192\.0\.2\.256' is not an IP address.*restore it/)
  })

  it('is refused when our table is gone', () => {
    foreign(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = 1; CREATE TABLE other (a)`)
    refuses(/no such table: vip/)
  })

  it('is refused where none can be made', () => {
    for (const nowhere of ['/proc/torii/state/allocations.db', '/dev/null/allocations.db']) {
      assert.throws(
        () => openAllocationStore(nowhere),
        (error) => error instanceof SystemError && error.remedy !== undefined,
      )
    }
  })

  it('is refused when it is a directory', () => {
    mkdirSync(path)
    assert.throws(() => openAllocationStore(path), SystemError)
    assert.deepEqual(readdirSync(directory), ['allocations.db'])
  })
})

describe('kill -9', () => {
  it('loses nothing that was acknowledged, at any moment', async function () {
    this.timeout(120_000)
    let next = 0
    let acknowledged = 0
    for (let round = 0; round < 30; round += 1) {
      const child = spawn(process.execPath, [join(import.meta.dirname, 'writer.ts'), path, String(next)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      const last = await killAfter(child, randomInt(0, 12), randomInt(0, 2000))
      const state = kept()
      // The save under way when it was killed may have gone through as a whole.
      const candidates = [last ?? next - 1, (last ?? next - 1) + 1]
      const found = candidates.find(
        (n) => n >= 0 && JSON.stringify(plain(history(n))) === JSON.stringify(plain(state)),
      )
      assert.ok(
        found !== undefined || (last === undefined && next === 0 && state.length === 0),
        `round ${round}`,
      )
      acknowledged += last === undefined ? 0 : last - next + 1
      next = (found ?? -1) + 1
    }
    assert.ok(acknowledged > 30, `only ${acknowledged} saves`)
  })
})

/** Kills the child some microseconds after it acknowledged `count` saves; the last number it said. */
async function killAfter(
  child: ChildProcessByStdio<null, Readable, null>,
  count: number,
  delayUs: number,
): Promise<number | undefined> {
  const exited = once(child, 'exit')
  let said = ''
  let killed = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text
    if (killed || said.split('\n').length - 1 <= count) return
    killed = true
    const end = process.hrtime.bigint() + BigInt(delayUs) * 1000n
    while (process.hrtime.bigint() < end);
    child.kill('SIGKILL')
  })
  const [, signal] = (await exited) as [number | null, string | null]
  if (!child.stdout.readableEnded) await once(child.stdout, 'close')
  assert.equal(signal, 'SIGKILL')
  return said.split('\n').slice(0, -1).map(Number).at(-1)
}

function plain(allocations: readonly Allocation[]): unknown {
  return allocations.map(({ id, vips }) => [
    id,
    ...vips.map((vip) => [`${vip.ip.value}`, vip.pool, vip.dscp]),
  ])
}
