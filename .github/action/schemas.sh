#!/usr/bin/env bash
# Fails if a schema for editors that is in the repository is not that of the installed plugins.
set -uo pipefail
config=()
[ -z "${CONFIG:-}" ] || config=(--config "$CONFIG")
status=0
folder=$(git rev-parse --show-prefix)

check() {
  local file=$1
  shift
  [ -e "$file" ] || return 0
  dispatcher schema "${config[@]}" "$@" --check "$file" && return
  echo "::error file=$folder$file::out of date: dispatcher schema $* > $file"
  status=1
}

check dispatcher.schema.json
check dispatcher.config.schema.json --config
exit $status
