//go:build tools

// Package tools names the program that the lab runs, so that go.mod pins its sources.
package tools

import _ "helm.sh/helm/v4/cmd/helm"
