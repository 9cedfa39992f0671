// Package loopback has the parts that the Git servers for tests are built from: a listener that can
// cut its connections, a key for SSH, and a git process that serves one client.
package loopback
