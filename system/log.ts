// Structured logs: one JSON line each, by pino, to standard output or any stream.

import { pino, type DestinationStream, type Logger } from 'pino'
import { type Log } from './ports.ts'

export type LogLevel = 'debug' | 'info' | 'warn' | 'error'

/** Passwords never reach the log, wherever they stand in the fields. */
const redact = ['password', '*.password', '*.md5Password', '*.*.md5Password']

function wrap(logger: Logger): Log {
  return {
    debug: (fields, event) => logger.debug(fields, event),
    info: (fields, event) => logger.info(fields, event),
    warn: (fields, event) => logger.warn(fields, event),
    error: (fields, event) => logger.error(fields, event),
    child: (fields) => wrap(logger.child(fields)),
  }
}

export function createLog(level: LogLevel, base: object, stream?: DestinationStream): Log {
  const options = {
    level,
    base: { ...base },
    redact,
    serializers: { error: pino.stdSerializers.err },
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
  }
  return wrap(stream === undefined ? pino(options) : pino(options, stream))
}
