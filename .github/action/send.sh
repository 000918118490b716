#!/usr/bin/env bash
# Plans, and sends exactly that. Results are numbers of people, which have no place in a log: the
# counts, and the command that goes on, are on stderr.
set -uo pipefail
config=()
[ -z "${CONFIG:-}" ] || config=(--config "$CONFIG")
plan=$(mktemp -d "${RUNNER_TEMP:-/tmp}/dispatcher.XXXXXX")/plan.json

dispatcher plan "${config[@]}" --out "$plan" >/dev/null
code=$?
if [ $code -eq 3 ]; then
  echo "there are no messages"  # a list may be empty
  exit 0
fi
[ $code -eq 0 ] || exit $code
dispatcher send "${config[@]}" --plan "$plan" --strict >/dev/null
