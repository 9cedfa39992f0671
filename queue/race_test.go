//go:build race

package queue

const raceDetector = true // everything takes ten times as long
