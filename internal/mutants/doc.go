// Mutants changes the code of a package in small ways, one at a time, and tells which of the
// changes no test notices.
//
//	go run ./internal/mutants [flags] DIRECTORY...
//
// All changes of a package are compiled into its test binaries at once, each behind a switch
// (mutant schemata): a comparison becomes a call that returns what it did, unless the environment
// variable MUTANT has its number. So a package is built once, and a mutant costs no more than the
// tests that look at it. These are found by running each test alone, first: the switches note in a
// shared file which of them a test has passed, and at which the changed value would have been
// another one. Only tests that have seen another value can notice; they run cheapest first, until
// one fails, panics or hangs.
//
// What is changed:
//
//   - a condition becomes true, or false; an operand of && and || is left out
//   - < and <=, and > and >=, change places; so do + and -, min and max
//   - a call, an assignment, ++ and --, a send, break, continue and a return without results are
//     left out
//   - a returned error becomes nil; a returned or passed true or false, and one in a struct, the
//     other
//   - a field is left out of a struct of this module
//   - an index, a slice's bound or a returned number that is a literal is one more
//
// What is not: logging, locks, defer, go, panic, and what is said in texts.
//
// Results are kept in the user's cache. They hold until the package, or the test that killed a
// mutant, changes.
package main
