#!/bin/sh
# What npm runs after it installed packages here by itself (`npm install`, `npm ci`): remembers for which lockfile, so that
# tools/setup.sh need not do it again, and builds. Without sources or esbuild (a production install) there is nothing to do.
set -eu
cd "$(dirname "$0")/.."
[ -d src ] && [ -x node_modules/.bin/esbuild ] && [ -x node_modules/.bin/node ] || exit 0
sha256sum package-lock.json >node_modules/.installed-lock
exec node_modules/.bin/node tools/build.ts
