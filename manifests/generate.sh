#!/bin/sh
# Writes the manifests that are applied as they are, and what the chart makes its objects of, from the
# parts in base/.
set -eu
cd "$(dirname "$0")"

# Joins parts into one file: join FILE PART...
join() {
    file=$1
    shift
    {
        echo "# Made from base/ by \`make manifests\`."
        separator=
        for part; do
            printf '%s' "$separator"
            cat "base/$part.yaml"
            separator='---
'
        done
    } >"$file.yaml"
}

join namespace namespace
join crds crds
join carillon serviceaccount rbac daemonset controller
join install namespace crds serviceaccount rbac daemonset controller

mkdir -p chart/base
for part in crds serviceaccount rbac daemonset controller; do
    join "chart/base/$part" "$part"
done
cp chart/values.yaml chart/base/values.yaml
