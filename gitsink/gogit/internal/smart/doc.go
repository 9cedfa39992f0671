// Package smart speaks the Git smart protocol (gitprotocol-pack(5)) with the services of a
// repository, over HTTP, SSH, git's own protocol and processes. It knows no branches but those
// that it is asked about, and keeps nothing of a connection that has ended but those of HTTP that
// can be used again.
//
// # Files
//
// A file uses what stands below it.
//
//   - session.go: a conversation with a service: fetch and push
//   - process.go: a service on this machine
//   - local.go: where on this machine a repository may be
//   - http.go: connections of HTTP
//   - ssh.go: connections of SSH
//   - stream.go: a connection that is a pipe in both directions, and git's own protocol
//   - request.go: what a service is asked for
//   - answer.go: what a service answers to a fetch and a push
//   - advertisement.go: what a service says of itself
//   - branches.go: which references matter to some branches
//   - pktline.go: the packets of the protocol
//   - conn.go: what a connection is
//   - credentials.go: what a connection shows, and what it trusts
//   - knownhosts.go: the keys of hosts
//   - proxy.go: connections through a proxy
//   - errors.go: failures, with the words of the server
package smart
