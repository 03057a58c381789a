#!/usr/bin/env bash
# Replaces the replicas one after another by what docker-compose.yml and .env say now: the next is touched only when the
# one before serves. Stops at the first that does not come up; the others then go on as they were.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

if docker compose version >/dev/null 2>&1; then compose=(docker compose); else compose=(docker-compose); fi
wait_seconds_max=90

health() { docker inspect --format '{{.State.Health.Status}}' "$("${compose[@]}" ps -q "$1")"; }

for replica in replica-1 replica-2 replica-3; do
  "${compose[@]}" up -d --no-deps --force-recreate "$replica"
  give_up=$((SECONDS + wait_seconds_max))
  until [[ $(health "$replica") == healthy ]]; do
    if ((SECONDS >= give_up)); then
      echo "$replica does not serve after $wait_seconds_max s; the others were left alone. Its last words:" >&2
      "${compose[@]}" logs --tail=20 "$replica" >&2
      exit 1
    fi
    sleep 0.5
  done
  echo "$replica serves"
done
