#!/usr/bin/env bash
# Starts Holdfast in production: reads .env, checks the settings, migrates the database, and becomes the service.
#
#   ./start_production.sh
#   ENV_FILE=/etc/holdfast/env ./start_production.sh
#
# ENV_FILE is .env beside this script, if there is one; a file that is named must be there. What is in the environment
# already, and not empty, is kept. The file is read, never executed: a line is empty, a comment that begins with #, or
#
#   NAME=value              to the end of the line or to a # after a space; spaces around it don't count
#   NAME='value'            as it stands
#   NAME="value"            with \" for a quote and \\ for a backslash; anything else stands for itself, $ too
#   export NAME=value       the same
#
# It may be started on any number of hosts at once: one migrates, the others wait for it.
set -euo pipefail

node_major=24
# As it was called, also through a link that names the current release: SIGHUP is to find the release of that time.
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -L)
entry=$here/dist/src/main.js

fail() {
  printf 'start_production.sh: %s\n' "$1" >&2
  exit 1
}

# Sets $value to what the text after NAME= stands for; fails when it stands for nothing.
unquote() {
  local text=$1 rest
  value=
  # Space around it never counts; what is left of a comment, with the space that it began with, neither.
  [[ ! $text =~ ^[[:space:]]+# ]] || return 0
  text=${text#"${text%%[![:space:]]*}"}
  case $text in
    \'*)
      rest=${text#\'}
      [[ $rest == *\'* ]] || return 1
      value=${rest%%\'*}
      rest=${rest#*\'}
      ;;
    \"*)
      rest=${text#\"}
      while [[ $rest != \"* ]]; do
        [[ -n $rest ]] || return 1
        # A backslash before a quote or a backslash goes; what it stands before stays.
        [[ $rest != [\\][\\\"]* ]] || rest=${rest#?}
        value+=${rest:0:1}
        rest=${rest:1}
      done
      rest=${rest#\"}
      ;;
    *)
      text=${text%%[[:space:]]#*}
      value=${text%"${text##*[![:space:]]}"}
      return 0
      ;;
  esac
  # After the closing quote there may be a comment, and nothing else.
  [[ $rest =~ ^[[:space:]]*$ || $rest =~ ^[[:space:]]+# ]]
}

# Puts what the file sets into the environment.
load_env() {
  local file=$1 line name value number=0 i
  local names=() values=()
  while IFS= read -r line || [[ -n $line ]]; do
    number=$((number + 1))
    line=${line%$'\r'}
    ((number > 1)) || line=${line#$'\xef\xbb\xbf'}
    [[ $line =~ ^[[:space:]]*(#.*)?$ ]] && continue
    # Upper case alone, so that none of them is a variable of this script.
    [[ $line =~ ^[[:space:]]*(export[[:space:]]+)?([A-Z_][A-Z0-9_]*)[[:space:]]*=(.*)$ ]] ||
      fail "$file, line $number: not NAME=value, with a NAME in upper case"
    name=${BASH_REMATCH[2]}
    unquote "${BASH_REMATCH[3]}" || fail "$file, line $number: the quotes of $name don't match, or something follows them"
    [[ -z ${!name-} ]] || continue
    names+=("$name")
    values+=("$value")
  done <"$file"
  # Last, so that none of them can change how the rest is read.
  for i in "${!names[@]}"; do
    export "${names[i]}=${values[i]}" || fail "$file: ${names[i]} can't be set"
  done
}

# The path of a Node that is new enough, in $node: that of this release, or else that of the system.
find_node() {
  local candidate version
  for candidate in "$here"/{node_modules,..}/.bin/node "$(type -P node || true)"; do
    [[ -n $candidate && -x $candidate ]] || continue
    version=$("$candidate" --version 2>/dev/null) || continue
    if [[ $version =~ ^v([0-9]+)\. ]] && ((BASH_REMATCH[1] >= node_major)); then
      node=$candidate
      return
    fi
  done
  fail "no Node $node_major or later, neither in $here/node_modules nor in PATH${version:+ (there: $version)}.
Run \"npm ci\" in $here, which brings one along, or \"npm install --prefix /opt/node node@$node_major\" and put /opt/node/node_modules/.bin first in PATH."
}

# Runs a command of the service to its end. A signal to stop is passed on to it, and ends us when it has ended.
run() {
  local status=0 stopped=
  "$node" "$entry" "$@" &
  local child=$!
  trap 'stopped=1; kill -TERM "$child" 2>/dev/null || true' TERM INT
  wait "$child" || status=$?
  # A signal ends the waiting, not the command.
  while kill -0 "$child" 2>/dev/null; do
    status=0
    wait "$child" || status=$?
  done
  trap - TERM INT
  [[ -z $stopped ]] || exit 143
  return "$status"
}

# A reload that comes before there is a service must not end us.
trap '' HUP
if [[ -n ${ENV_FILE-} ]]; then
  [[ -r $ENV_FILE && ! -d $ENV_FILE ]] || fail "there is no file $ENV_FILE that can be read"
  load_env "$ENV_FILE"
elif [[ -e $here/.env ]]; then
  [[ -r $here/.env ]] || fail "$here/.env can't be read"
  load_env "$here/.env"
fi
export NODE_ENV="${NODE_ENV:-production}"

node=
find_node
[[ -e $entry ]] || fail "there is no build, $entry is missing. Run \"npm run build\" in $here first."
run config --check || exit
run migrate || exit
exec "$node" "$entry" serve
