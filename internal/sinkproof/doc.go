// Package sinkproof proves that a sink loses nothing and doubles nothing when several processes
// write one branch, when the process that writes is killed with SIGKILL in the middle of a push,
// when the server's is, and when any one of the network operations fails at any point; and that its
// memory stays flat. The sink is package gogit, the server and the judge are the git command line.
//
// KUBESCRIBE_SOAK=1 asks for the full sizes, KUBESCRIBE_SEED repeats a run.
package sinkproof
