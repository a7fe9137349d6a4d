#!/bin/sh
# Compiles src/daemon/sandbox/init/init.c for the machines that nodes are, and writes its programs into programs.ts beside it.
# Debian: apt-get install gcc gcc-aarch64-linux-gnu. The committed ones were made with gcc 12.2 and binutils 2.40.
set -eu
cd "$(dirname "$0")/../src/daemon/sandbox/init"
drafts=$(mktemp -d)
trap 'rm -rf "$drafts"' EXIT
flags="-Os -static -nostdlib -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables -fno-pic -no-pie
  -Wall -Wextra -Werror -s -Wl,--build-id=none -Wl,-z,noseparate-code -Wl,-z,noexecstack"
compile() {
  # shellcheck disable=SC2086
  $2 $flags $3 -o "$drafts/$1" init.c
  "${2%gcc*}strip" -R .comment -R .eh_frame "$drafts/$1"
}
compile x64 "${CC_X64:-x86_64-linux-gnu-gcc}" -fcf-protection=none
compile arm64 "${CC_ARM64:-aarch64-linux-gnu-gcc}" -mno-outline-atomics
{
  # shellcheck disable=SC2016
  echo '/** init.c, compiled for each machine by tools/cell-init.sh, which made this file. Keys are those of `process.arch`. */'
  echo 'export const programs: Readonly<Record<string, string>> = {'
  for machine in arm64 x64; do
    echo "  $machine:"
    base64 -w 100 "$drafts/$machine" | sed 's/.*/    "&" +/; $ s/ +$/,/'
  done
  echo '};'
  echo
  echo '/** SHA-256 of what they were made from, one file after the other: init.c, kernel.h, refused.h, say.h. */'
  echo "export const madeFrom = \"$(cat init.c kernel.h refused.h say.h | sha256sum | cut -d ' ' -f 1)\";"
} >programs.ts
