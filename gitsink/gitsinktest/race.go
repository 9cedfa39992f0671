//go:build race

package gitsinktest

// memoryFactor is for the race detector: with it small objects do not share memory, and the collector lags behind.
const memoryFactor = 1.5
