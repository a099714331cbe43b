#!/bin/sh
# Runs one of the package's commands with the pinned Node, after its set-up. Usage: run.sh demo|test|check [ARG...]
set -eu
cd "$(dirname "$0")/.."
command=$1
shift
sh scripts/setup.sh "$command"
# An older Node may have started npm: everything below runs on the pinned one.
PATH="$PWD/node_modules/.bin:$PATH"
export PATH

case $command in
demo)
  # A fabric that is to stay cannot live in namespaces that end with this command.
  case " $* " in
  *" --keep "*) exec node demo/main.ts "$@" ;;
  *) exec sh scripts/contained.sh node demo/main.ts "$@" ;;
  esac
  ;;
test)
  # Files or patterns may be named: npm test -- 'test/config/**/*.test.ts'. Otherwise all run.
  case " $*" in *" test/"*) ;; *) set -- "$@" 'test/**/*.test.ts' ;; esac
  exec sh scripts/contained.sh mocha "$@"
  ;;
check)
  tsc -p .
  eslint --cache --cache-location build/eslint.cache .
  prettier --check --log-level warn .
  clang-format --dry-run --Werror native/*.c native/*.h forwarder/xdp/*.c forwarder/xdp/*.h
  exec mocha 'test/architecture/**/*.test.ts'
  ;;
*)
  echo "run.sh: unknown command '$command': demo, test or check" >&2
  exit 2
  ;;
esac
