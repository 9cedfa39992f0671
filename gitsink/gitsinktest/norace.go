//go:build !race

package gitsinktest

const memoryFactor = 1
