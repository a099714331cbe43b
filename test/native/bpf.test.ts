// The addon's BPF functions on the real kernel.

import assert from 'node:assert/strict'
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { loadAddon, packageRoot } from '../../native/binding.ts'
import { mapFlag, mapType, xdpAction } from '../../native/bpf.ts'
import { isAddonError } from '../../native/fd.ts'

const bpf = loadAddon()
const objectPath = join(packageRoot(), 'prebuilds/bpf/torii.bpf.o')
const object = readFileSync(objectPath)
const binding = JSON.stringify(join(packageRoot(), 'native/binding.ts'))

const u32 = (value: number): Uint8Array => new Uint8Array(Uint32Array.of(value).buffer)
const u32s = (...values: number[]): Uint8Array => new Uint8Array(Uint32Array.from(values).buffer)
const openDescriptors = (): number => readdirSync('/proc/self/fd').length
const failure = (code: string, text: RegExp) => (error: unknown) => {
  assert.ok(isAddonError(error))
  assert.equal(error.code, code)
  assert.match(error.message, text)
  return true
}

/** Gives the descriptors that `use` asks to keep back, whatever happens. */
function closing<T>(use: (keep: (fd: number) => number) => T): T {
  const kept: number[] = []
  try {
    return use((fd) => {
      kept.push(fd)
      return fd
    })
  } finally {
    for (const fd of kept) bpf.close(fd)
  }
}

const array = (entries: number, flags = 0): number =>
  bpf.bpfMapCreate(mapType.array, 4, 4, entries, flags, 'words', -1)

describe('BPF maps', () => {
  it('are created, described, written, read and walked', () => {
    closing((keep) => {
      const map = keep(bpf.bpfMapCreate(mapType.hash, 4, 8, 16, 0, 'a_name_that_is_too_long', -1))
      const { id, ...info } = bpf.bpfMapInfo(map)
      assert.deepEqual(info, {
        type: 1,
        keySize: 4,
        valueSize: 8,
        maxEntries: 16,
        flags: 0,
        name: 'a_name_that_is_',
      })
      const same = keep(bpf.bpfFdById('map', id))
      for (const key of [3, 1, 2]) bpf.bpfMapUpdate(map, u32(key), u32s(key, key))
      assert.deepEqual(bpf.bpfMapLookup(same, u32(2)), Buffer.from(u32s(2, 2)))
      assert.equal(bpf.bpfMapLookup(map, u32(4)), undefined)
      assert.equal(bpf.bpfMapDelete(map, u32(2)), true)
      assert.equal(bpf.bpfMapDelete(map, u32(2)), false)
      const keys: number[] = []
      for (let key = bpf.bpfMapNextKey(map, undefined); key !== undefined; key = bpf.bpfMapNextKey(map, key))
        keys.push(Buffer.from(key).readUInt32LE())
      assert.deepEqual(keys.sort(), [1, 3])
    })
  })

  it('refuse keys and values of another size instead of reading past them', () => {
    closing((keep) => {
      const map = keep(array(4))
      assert.throws(
        () => bpf.bpfMapUpdate(map, u32(0), new Uint8Array(3)),
        failure('EINVAL', /found a value of 3 bytes, expected 4/),
      )
      assert.throws(
        () => bpf.bpfMapLookup(map, new Uint8Array(2)),
        failure('EINVAL', /found a key of 2 bytes, expected 4/),
      )
      assert.throws(
        () => bpf.bpfMapUpdateBatch(map, u32(0), u32(0), 2),
        failure('EINVAL', /keys of 4 bytes, expected 8/),
      )
      assert.throws(() => bpf.bpfMapWrite(map, u32(0)), failure('EINVAL', /values of 4 bytes, expected 16/))
      assert.throws(() => bpf.bpfMapLookup(0, u32(0)), failure('EINVAL', /map info/))
      assert.throws(() => bpf.bpfMapUpdate(map, u32(4), u32(0)), failure('E2BIG', /words/))
    })
  })

  it('are updated in batches', () => {
    closing((keep) => {
      const map = keep(array(8))
      bpf.bpfMapUpdateBatch(map, u32s(1, 5), u32s(11, 55), 2)
      assert.deepEqual(
        [1, 5, 0].map((key) => Buffer.from(bpf.bpfMapLookup(map, u32(key))!).readUInt32LE()),
        [11, 55, 0],
      )
    })
  })

  it('are written and read as a whole where they are mapped memory, and only there', () => {
    closing((keep) => {
      const map = keep(array(1021, mapFlag.mmapable))
      const values = new Uint8Array(Uint32Array.from({ length: 1021 }, (_, index) => index * 7).buffer)
      bpf.bpfMapWrite(map, values)
      assert.deepEqual(bpf.bpfMapRead(map), Buffer.from(values))
      assert.deepEqual(bpf.bpfMapLookup(map, u32(1020)), Buffer.from(u32(7140)))
      assert.throws(() => bpf.bpfMapRead(keep(array(4))), failure('EINVAL', /bpf map mmap/))
    })
  })

  it('give a slot for each possible CPU where they are per CPU', () => {
    closing((keep) => {
      const map = keep(bpf.bpfMapCreate(mapType.perCpuArray, 4, 4, 1, 0, 'each', -1))
      const last = readFileSync('/sys/devices/system/cpu/possible', 'utf8').trim().split(/[-,]/).at(-1)
      assert.equal(bpf.bpfMapLookup(map, u32(0))?.length, 8 * (Number(last) + 1))
    })
  })

  it('hold other maps, which are read back by id', () => {
    closing((keep) => {
      const inner = keep(array(3))
      const outer = keep(bpf.bpfMapCreate(mapType.arrayOfMaps, 4, 4, 2, 0, 'outer', inner))
      bpf.bpfMapUpdate(outer, u32(1), u32(inner))
      const id = Buffer.from(bpf.bpfMapLookup(outer, u32(1))!).readUInt32LE()
      assert.equal(id, bpf.bpfMapInfo(inner).id)
      assert.throws(() => bpf.bpfMapUpdate(outer, u32(0), u32(keep(array(4)))), failure('EINVAL', /outer/))
    })
    assert.equal(bpf.bpfFdById('map', 0x7fffffff), -1)
  })
})

describe('a BPF object', () => {
  const loaded = <T>(use: (program: number, map: (name: string) => number) => T, rows = 251): T =>
    closing((keep) => {
      const opened = bpf.bpfOpen(object)
      bpf.bpfSetInnerMap(opened, 'tables', keep(array(rows)))
      bpf.bpfSetMaxEntries(opened, 'vips', 8)
      bpf.bpfLoad(opened)
      const program = keep(bpf.bpfObjectProgFd(opened, 'torii'))
      const result = use(program, (name) => keep(bpf.bpfObjectMapFd(opened, name)))
      bpf.bpfClose(opened)
      // Descriptors taken from it are the caller's.
      assert.equal(bpf.bpfProgInfo(program).name, 'torii')
      return result
    })

  it('is loaded with the sizes that were asked for', () => {
    loaded((program, map) => {
      assert.equal(bpf.bpfMapInfo(map('vips')).maxEntries, 8)
      const { tag, jitedSize, verifiedInstructions, type } = bpf.bpfProgInfo(program)
      assert.match(tag, /^[0-9a-f]{16}$/)
      assert.equal(type, 6)
      assert.ok(jitedSize > 0 && verifiedInstructions > 0)
      assert.throws(
        () => bpf.bpfMapUpdate(map('tables'), u32(0), u32(map('settings'))),
        failure('EINVAL', /tables/),
      )
    })
    assert.equal(
      loaded((program) => bpf.bpfProgInfo(program).tag),
      loaded((program) => bpf.bpfProgInfo(program).tag, 503),
      'the tag depends on the sizes of the maps',
    )
  })

  it('takes existing maps in place of its own', () => {
    closing((keep) => {
      const counters = keep(bpf.bpfMapCreate(mapType.perCpuArray, 4, 8, 13, 0, 'counters', -1))
      const opened = bpf.bpfOpen(object)
      bpf.bpfSetInnerMap(opened, 'tables', keep(array(251)))
      bpf.bpfReuseMap(opened, 'counters', counters)
      bpf.bpfLoad(opened)
      assert.equal(
        bpf.bpfMapInfo(keep(bpf.bpfObjectMapFd(opened, 'counters'))).id,
        bpf.bpfMapInfo(counters).id,
      )
      bpf.bpfClose(opened)
    })
  })

  it('runs on a frame, which comes back as the program left it', () => {
    loaded((program) => {
      const frame = Uint8Array.from({ length: 60 }, (_, index) => index)
      const { retval, data, durationNs } = bpf.bpfTestRun(program, frame, 1000, 1)
      assert.equal(retval, xdpAction.pass)
      assert.deepEqual(data, Buffer.from(frame))
      assert.ok(durationNs > 0 && durationNs < 1e6)
      assert.throws(() => bpf.bpfTestRun(program, new Uint8Array(13), 1, 0), failure('EINVAL', /test run/))
      assert.throws(() => bpf.bpfTestRun(program, frame, 1, 0x7ffffff), failure('ENODEV', /test run/))
    })
  })

  it('says what is wrong with it: no object, no such map, not loaded, closed, refused by the verifier', () => {
    assert.throws(() => bpf.bpfOpen(new Uint8Array(64)), failure('EINVAL', /is not a proper ELF object$/))
    const opened = bpf.bpfOpen(object)
    assert.throws(
      () => bpf.bpfSetMaxEntries(opened, 'nothing', 1),
      failure('ENOENT', /the object has no map 'nothing'/),
    )
    assert.throws(() => bpf.bpfObjectProgFd(opened, 'nothing'), failure('ENOENT', /no program 'nothing'/))
    assert.throws(() => bpf.bpfObjectProgFd(opened, 'torii'), failure('EBADF', /is the object loaded\?/))
    bpf.bpfClose(opened)
    assert.throws(() => bpf.bpfLoad(opened), failure('EBADF', /not an object, or closed/))
    assert.throws(() => bpf.bpfLoad({} as typeof opened), failure('EBADF', /not an object, or closed/))

    const bad = bpf.bpfOpen(compiled('int bad(void *ctx) { return *(volatile int *)0; }'))
    assert.throws(
      () => bpf.bpfLoad(bad),
      (error: unknown) => {
        failure('EACCES', /invalid mem access 'scalar'[^]*END PROG LOAD LOG/)(error)
        assert.ok(error instanceof Error && 'log' in error && typeof error.log === 'string')
        assert.match(error.log, /BEGIN PROG LOAD LOG/)
        return true
      },
    )
    bpf.bpfClose(bad)
  })

  it('is loaded also while signals come faster than the verifier is done', () => {
    const script = `
      import { readFileSync } from 'node:fs'
      import { loadAddon } from ${binding}
      const bpf = loadAddon()
      const opened = bpf.bpfOpen(readFileSync(${JSON.stringify(objectPath)}))
      bpf.bpfSetMaxEntries(opened, 'vips', 8)
      bpf.bpfLoad(opened)`
    const folder = mkdtempSync(join(tmpdir(), 'torii-profile-'))
    try {
      const profiler = ['--cpu-prof', '--cpu-prof-interval', '100', '--cpu-prof-dir', folder]
      execFileSync(process.execPath, [...profiler, '--input-type=module', '-e', script], { stdio: 'pipe' })
    } finally {
      rmSync(folder, { recursive: true })
    }
  })

  it('leaves no descriptor, closed or collected', async () => {
    const before = openDescriptors()
    for (let round = 0; round < 20; round += 1) loaded(() => undefined)
    assert.equal(openDescriptors(), before)
    const script = `
      import { readdirSync, readFileSync } from 'node:fs'
      import { loadAddon } from ${binding}
      const bpf = loadAddon()
      const bytes = readFileSync(${JSON.stringify(objectPath)})
      const count = () => readdirSync('/proc/self/fd').length
      const before = count()
      const load = () => {
        const opened = bpf.bpfOpen(bytes)
        bpf.bpfSetMaxEntries(opened, 'vips', 8)
        bpf.bpfLoad(opened)
      }
      for (let i = 0; i < 10; i += 1) load()
      if (count() < before + 10) throw new Error('nothing to collect')
      for (let i = 0; i < 50 && count() > before; i += 1) { gc(); await new Promise(setImmediate) }
      if (count() > before) throw new Error(count() - before + ' descriptors are left')`
    execFileSync(process.execPath, ['--expose-gc', '--input-type=module', '-e', script], { stdio: 'pipe' })
    // A worker that ends with an object open takes it along.
    const worker = new Worker(
      `import(${binding}).then(({ loadAddon }) => {
        globalThis.kept = loadAddon().bpfOpen(require('node:fs').readFileSync(${JSON.stringify(objectPath)}))
        loadAddon().bpfSetMaxEntries(kept, 'vips', 8)
        loadAddon().bpfLoad(kept)
        require('node:worker_threads').parentPort.postMessage('loaded')
      })`,
      { eval: true },
    )
    const ended = once(worker, 'exit')
    await once(worker, 'message')
    await worker.terminate()
    await ended
    assert.equal(openDescriptors(), before)
  })

  it('names the package that is missing without libbpf, and all else works', () => {
    const library = execFileSync(
      'sh',
      ['-c', 'ldconfig -p | sed -n "s/.*libbpf.so.1.* => //p" | head -n 1'],
      { encoding: 'utf8' },
    ).trim()
    assert.ok(library.startsWith('/'))
    const script = `
      import { loadAddon } from ${binding}
      const bpf = loadAddon()
      bpf.close(bpf.bpfMapCreate(2, 4, 4, 1, 0, 'words', -1))
      for (const _ of [1, 2]) try { bpf.bpfOpen(new Uint8Array(8)) } catch (error) { console.log(error.code, error.message) }`
    const output = execFileSync(
      'unshare',
      [
        '-m',
        'sh',
        '-c',
        'mount --bind /dev/null "$1" && exec "$2" --input-type=module -e "$3"',
        'sh',
        library,
        process.execPath,
        script,
      ],
      { encoding: 'utf8' },
    )
    const [first, second] = output.trim().split('\n')
    assert.match(first ?? '', /^ERR_LIBBPF_MISSING libbpf missing: apt-get install libbpf1 \(/)
    assert.equal(second, first)
  })
})

describe('a locked directory', () => {
  it('is one process’s until its descriptor is closed, or the process ends', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'torii-lock-'))
    const script = `
      const { loadAddon } = await import(${binding})
      loadAddon().lockDirectory(${JSON.stringify(directory)})
      console.log('locked')
      setInterval(() => undefined, 1000)`
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      assert.throws(() => bpf.lockDirectory(directory), failure('EAGAIN', /flock/))
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      const fd = bpf.lockDirectory(directory)
      assert.throws(() => bpf.lockDirectory(directory), failure('EAGAIN', /flock/))
      bpf.close(fd)
      bpf.close(bpf.lockDirectory(directory))
      assert.throws(() => bpf.lockDirectory(join(directory, 'none')), failure('ENOENT', /open/))
    } finally {
      child.kill('SIGKILL')
      rmSync(directory, { recursive: true })
    }
  })
})

/** An XDP object of one function. */
function compiled(source: string): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'torii-bpf-'))
  try {
    const file = join(folder, 'bad.o')
    execFileSync('clang', ['-O2', '-target', 'bpfel', '-x', 'c', '-c', '-', '-o', file], {
      input: `__attribute__((section("xdp"))) ${source}\nchar words[] __attribute__((section("license"))) = "GPL";\n`,
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    return readFileSync(file)
  } finally {
    rmSync(folder, { recursive: true })
  }
}
