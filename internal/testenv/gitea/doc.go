// Package gitea only pins Gitea, a real forge, for the tests that ask one: `make gitea` builds it from its Go module (about 750
// seconds of CPU, a C compiler is needed for SQLite) into the user's cache folder, with the folders that it reads beside it.
//
// Run it on loopback as a user other than root, with INSTALL_LOCK, STATIC_ROOT_PATH and DB_TYPE = sqlite3 set, make an
// administrator with `gitea admin user create --admin`, and name it to the tests:
//
//	KUBESCRIBE_GITEA_URL=http://admin:password@127.0.0.1:3000 go test -run Gitea ./gitsink/gogit
package gitea
