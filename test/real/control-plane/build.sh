#!/usr/bin/env bash
# Builds the control plane for tests into one binary and prints where it is.
# usage: build.sh [OUT]   (default: a cache outside the repository, keyed by the sources)
# Needs Go >= 1.25. The first build takes about 7 minutes on 2 cores, later ones seconds.
set -euo pipefail
here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
hash=$(cat "$here/go.sum" "$here/main.go" | sha256sum | cut -c1-16)
out="${1:-${XDG_CACHE_HOME:-$HOME/.cache}/grove-autoscaler/controlplane-$hash/controlplane}"
if [[ ! -x "$out" ]]; then
  version=$(sed -n 's|^.*k8s.io/kubernetes \(v[0-9.]*\)$|\1|p' "$here/go.mod" | head -1)
  IFS=. read -r major minor _ <<<"${version#v}"
  flags="-X k8s.io/component-base/version.gitVersion=$version"
  flags+=" -X k8s.io/component-base/version.gitMajor=$major -X k8s.io/component-base/version.gitMinor=$minor"
  mkdir -p "$(dirname "$out")"
  # Build beside the target and move: an interrupted build never looks finished.
  (cd "$here" && go build -ldflags "-s -w $flags" -o "$out.$$" . >&2)
  mv "$out.$$" "$out"
fi
echo "$out"
