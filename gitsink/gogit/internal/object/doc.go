// Package object reads and writes Git objects in memory: blobs, trees, commits, and packs of them.
package object
