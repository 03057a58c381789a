#!/usr/bin/env bash
# Installs the Debian packages that test/deploy and the relay's tests need: only what is missing, without starting any of
# their services.
# As root, or with sudo. May be run any number of times.
set -euo pipefail

# In alphabetical order.
packages=(
  curl
  haproxy
  nats-server
  nginx
  openssl
  pgbouncer
  postgresql-15
  postgresql-client
  shellcheck
  systemd
)

missing=()
for package in "${packages[@]}"; do
  status=$(dpkg-query --show --showformat='${db:Status-Abbrev}' "$package" 2>/dev/null || true)
  [[ $status == 'ii '* ]] || missing+=("$package")
done
if ((${#missing[@]} == 0)); then
  echo 'everything is installed'
  exit 0
fi

as_root=()
if ((EUID != 0)); then as_root=(sudo); fi

# Debian starts a service as soon as its package is installed, on its usual port, unless this file says no.
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then
  trap '"${as_root[@]}" rm -f "$policy"' EXIT
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" tee "$policy" >/dev/null
  "${as_root[@]}" chmod 755 "$policy"
fi

echo "installing ${missing[*]}"
"${as_root[@]}" apt-get update -q
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "${missing[@]}"
