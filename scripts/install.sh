#!/bin/sh
# Puts p2p into a folder of yours: finds the archive for this machine, checks it, unpacks it, tries
# it, and only then puts it in the place of an older one. Needs no root and asks nothing.
set -eu

# The page of all releases, filled in where this script lies on one.
RELEASES=''

usage() {
  cat <<'END'
Usage: sh install.sh [--from <place>] [--version <version>] [--to <folder>]

  --from <place>       a page of releases (https://.../releases), or the address or the folder of
                       one release, with its SHA256SUMS (default: P2P_RELEASES, or the page that
                       this script was taken from)
  --version <version>  such as 0.1.0 (default: the newest)
  --to <folder>        where p2p goes (default: ~/.local/bin)

Run it again to get a newer version.
END
}

fail() {
  printf 'install: %s\n' "$1" >&2
  [ $# -lt 2 ] || printf 'hint: %s\n' "$2" >&2
  exit 1
}

tell() {
  printf 'install: %s\n' "$*" >&2
}

# All is said in functions and begun by the last line: a script that was cut on its way does nothing.
main() {
  from=${P2P_RELEASES:-$RELEASES} version='' to=''
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage && return ;;
      --from | --version | --to)
        [ -n "${2:-}" ] || fail "$1 wants a value" 'sh install.sh --help shows what there is'
        case $1 in
          --from) from=$2 ;;
          --version) version=${2#v} && check_version ;;
          --to) to=$2 ;;
        esac
        shift 2
        ;;
      *) fail "Cannot use \"$1\"" 'sh install.sh --help shows what there is' ;;
    esac
  done
  choose_folder
  install_p2p
}

check_version() {
  case $version in
    *[!0-9A-Za-z.+-]*) fail "Cannot use version \"$version\": it must be like 0.1.0" ;;
  esac
}

choose_folder() {
  [ -n "$from" ] || fail 'Cannot know where to get p2p from: no place is given' \
    'Say it with --from, or in P2P_RELEASES: the address of a page of releases, or a folder'
  [ -n "$to" ] || {
    [ -n "${HOME:-}" ] || fail 'Cannot choose a folder: HOME is not set' 'Say it with --to <folder>'
    to=$HOME/.local/bin
  }
}

install_p2p() {
  target=$(target_of_machine)
  place=$(place_of_release)
  case $place in
    http://127.0.0.1[:/]* | http://localhost[:/]*) ;;
    http://*) tell 'this address is not https: whoever is on the way can give you another program' ;;
  esac

  draft=$(mktemp -d "${TMPDIR:-/tmp}/p2p-install.XXXXXX")
  trap 'rm -rf "$draft"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM

  fetch SHA256SUMS
  archive=$(archive_for_target)
  fetch "$archive"
  check "$archive"
  unpack "$archive"
  put_in_place
  tell_path
}

target_of_machine() {
  system=$(uname -s) machine=$(uname -m)
  case $system in
    Linux) system=linux ;;
    Darwin) system=macos ;;
    MINGW* | MSYS* | CYGWIN* | Windows_NT)
      fail 'Cannot install on Windows with this script' 'Use install.ps1 in PowerShell' ;;
    *) fail "Cannot install on $system: there is no p2p for it" \
      'It can be built from the sources wherever Deno runs' ;;
  esac
  case $machine in
    x86_64 | amd64) machine=x64 ;;
    aarch64 | arm64) machine=arm64 ;;
    *) fail "Cannot install on $system $machine: there is no p2p for it" \
      'There is one for x86_64 and for arm64' ;;
  esac
  # A shell that is translated sees the processor that it was made for.
  if [ "$system $machine" = 'macos x64' ] &&
    [ "$(sysctl -n sysctl.proc_translated 2>/dev/null || :)" = 1 ]; then
    machine=arm64
  fi
  printf '%s-%s\n' "$system" "$machine"
}

# Where the files of the wanted release are: on a page of releases, each has a folder of its own.
place_of_release() {
  case ${from%/} in
    *://*/releases)
      if [ -n "$version" ]; then
        printf '%s/download/v%s\n' "${from%/}" "$version"
      else
        printf '%s/latest/download\n' "${from%/}"
      fi
      ;;
    *) printf '%s\n' "${from%/}" ;;
  esac
}

# Gets the file $1 of the release into the draft.
fetch() {
  case $place in
    http://* | https://*) download "$place/$1" "$draft/$1" ;;
    *://*) fail "Cannot get p2p from \"$place\": it is neither https, http nor a folder" ;;
    *) cp "$place/$1" "$draft/$1" 2>/dev/null || fail "Cannot read \"$place/$1\"" \
      'The folder must hold a release, with its SHA256SUMS' ;;
  esac
}

download() {
  if has curl; then
    # What begins with https stays so: --proto also holds for where the address leads on.
    curl --proto "=${1%%:*}" --fail --silent --show-error --location --connect-timeout 20 \
      --retry 2 --output "$2" "$1" && return
  elif has wget; then
    # GNU's would try twenty times; others know no such option.
    case $(wget --version 2>&1) in *'GNU Wget'*) tries='--tries=3 --waitretry=1' ;; *) tries='' ;; esac
    # shellcheck disable=SC2086 # These are two words, or none.
    wget -q -T 20 $tries -O "$2" "$1" && return
  else
    fail 'Cannot download: there is neither curl nor wget' \
      'Install one of them, or copy a release here and say --from <folder>'
  fi
  fail "Cannot download \"$1\"" "Is the address right, and is there such a version? Nothing was changed here"
}

# Among the archives of the release, the one for this machine.
archive_for_target() {
  found=$(sed -n 's/^[0-9a-f]\{64\} [ *]\(p2p-[0-9A-Za-z.+-]*-'"$target"'\.tar\.gz\)$/\1/p' \
    "$draft/SHA256SUMS")
  [ -n "$found" ] || fail "Cannot install on $target: the release at \"$place\" has no archive for it"
  [ "$(printf '%s\n' "$found" | wc -l)" -eq 1 ] ||
    fail "Cannot choose: the release at \"$place\" has several archives for $target"
  [ -z "$version" ] || [ "$found" = "p2p-$version-$target.tar.gz" ] ||
    fail "Cannot install version $version: at \"$place\" there is $found"
  printf '%s\n' "$found"
}

check() {
  wanted=$(sed -n 's/^\([0-9a-f]\{64\}\) [ *]'"$1"'$/\1/p' "$draft/SHA256SUMS")
  got=$(sha256 "$draft/$1")
  [ "$got" = "$wanted" ] || fail "Cannot trust \"$1\": its SHA-256 is $got, SHA256SUMS says $wanted" \
    'Nothing was changed here; try again, and if it stays so, tell who published it'
}

sha256() {
  if has sha256sum; then
    sum=$(sha256sum <"$1")
  elif has shasum; then
    sum=$(shasum -a 256 <"$1")
  elif has openssl; then
    sum=$(openssl dgst -sha256 -r <"$1")
  else
    fail 'Cannot check the download: there is neither sha256sum, shasum nor openssl'
  fi
  printf '%s\n' "${sum%% *}"
}

# Also tries it: what does not start here must not take the place of what does.
unpack() {
  tar -xzf "$draft/$1" -C "$draft" || fail "Cannot unpack \"$1\""
  program=$draft/${1%.tar.gz}/p2p
  [ -f "$program" ] || fail "Cannot install \"$1\": there is no p2p in it"
  new=$("$program" --version 2>&1) || fail "Cannot start p2p on this machine: $new" \
    'On Linux it needs glibc; and the folder of temporary files must allow programs (TMPDIR=<folder>)'
}

put_in_place() {
  mkdir -p "$to" || fail "Cannot make the folder \"$to\"" 'Say another one with --to <folder>'
  to=$(cd "$to" && pwd)
  old=$("$to/p2p" --version 2>/dev/null || :)
  # Beside the old one, so that the rename is in one file system: p2p is whole at any moment, and
  # one that runs goes on with the old bytes.
  beside=$to/.p2p.$$
  trap 'rm -rf "$draft" "$beside"' EXIT
  if ! { cp "$program" "$beside" && chmod 755 "$beside" && mv -f "$beside" "$to/p2p"; }; then
    fail "Cannot write to \"$to\"" 'Say another folder with --to <folder>'
  fi
  case $old in
    '') tell "$new is in $to/p2p" ;;
    "$new") tell "$new is in $to/p2p, as before" ;;
    *) tell "$new is in $to/p2p, in the place of $old" ;;
  esac
  tell "to be rid of it: rm '$to/p2p' (p2p config shows where it keeps its files)"
}

tell_path() {
  first=$(command -v p2p || :)
  case $first in
    "$to/p2p") ;;
    '')
      tell "your PATH lacks $to: programs there are not found by their name alone"
      # shellcheck disable=SC2016 # It is for the user to write.
      tell "put this into the start file of your shell: export PATH=\"$to:\$PATH\""
      ;;
    *) tell "your PATH finds another one first: $first" ;;
  esac
}

has() {
  command -v "$1" >/dev/null 2>&1
}

main "$@"
