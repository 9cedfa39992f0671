// Package gitea only pins Gitea, a real forge, for the tests that ask one: `make gitea` builds it
// from its Go module (about 750 seconds of CPU the first time; a C compiler is needed for SQLite)
// into the user's cache folder, with the folders that it reads beside it. `make gitea-test` starts
// it for the tests: testenv.SharedGitea.
package gitea
