// Package smart speaks the Git smart protocol (gitprotocol-pack(5)) with the services of a repository.
package smart
