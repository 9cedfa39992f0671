// Figures prints how large and how tangled each package of a module is.
//
//	go run ./internal/figures [-dir FOLDER] [-files] [PACKAGE PATTERN...]
//
// The patterns are those of go list, and all packages of the module by default.
// The output is Markdown: one row for each package, and one for all together.
// With -files, a table for each package follows, with its files in their order.
// With -dir the module is another one, such as an older checkout.
// Test files are not counted, and neither are files of another platform.
// Nothing is judged: a figure is good or bad only beside an older one.
//
// # Size
//
// A line of code holds at least a part of a token; blank lines and lines of comments hold none.
//
// A function is a declared function or method, or a literal in the value of a package variable. A
// literal inside a function is a part of it. A function is as long as it has lines, from "func" to
// the closing brace.
//
// The cyclomatic complexity of a function is 1, and 1 more for each if, for, && and ||, and for
// each case that is not the default one. That of a package is the sum.
//
// # Shape
//
// A lock site is a call of Lock, RLock, TryLock or TryRLock of the sync package's Mutex, RWMutex
// or Locker. Type information resolves it, so an embedded mutex counts and a method of the same
// name does not. The busiest lock is the field or variable with most sites.
//
// Exported are names of the package; methods of exported types, also those which an exported
// interface lists; and fields of exported structs. Embedded fields count, promoted names do not.
//
// An arrow leads from file A to file B of the same package if A uses a constant, variable, type,
// function or method that B declares, however often. A method's receiver is such a use; a field
// is not.
//
// An arrow runs up if B stands above A in the order of the files. A package comment may give the
// order, as a map: below the heading "# Files", lines that begin with a file's name and a colon
// (or with several names, separated by commas), the first of them being the top. For all other
// packages the program searches for an order with few arrows that run up; a better one might exist.
//
// # Comments
//
// The width of a comment is that of its whole line, so indentation and code in front count; a tab
// is one column, as it is for the linter lll. Directives such as //go:embed are no comments. The
// 90th percentile is a width that nine lines of ten do not exceed.
package main
