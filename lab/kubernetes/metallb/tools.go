//go:build tools

// Package tools names MetalLB's programs, which the benchmarks run, so that go.mod pins their sources.
package tools

import (
	_ "go.universe.tf/metallb/controller"
	_ "go.universe.tf/metallb/speaker"
)
