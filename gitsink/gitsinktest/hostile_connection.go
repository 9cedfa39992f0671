package gitsinktest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/kubescribe/kubescribe/gitsink/gitservertest"
	"github.com/kubescribe/kubescribe/gitsink/internal/loopback"
)

// deadline is the error of an Apply that only its context has ended.
var deadline = context.DeadlineExceeded

// connection is a TCP connection to a hostile server.
type connection struct {
	tcp    *loopback.Conn
	repo   *gitservertest.Repo // what an honest server would serve
	env    []string            // of a git process that serves it
	reader *bufio.Reader
}

// connected makes the server of a case one that answers on bare connections.
func connected(c Hostile, protocol string, converse func(*connection)) Hostile {
	var visits atomic.Int64
	c.Make = func(t testing.TB) string {
		visits.Store(0)
		server := gitservertest.NewServer(t, nil)
		repo, _, _ := honestRepo(t, server)
		gate := loopback.Serve(t, func(tcp *loopback.Conn) {
			visits.Add(1)
			conn := &connection{tcp: tcp, repo: repo, env: server.Env(), reader: bufio.NewReader(tcp)}
			converse(conn)
			conn.end()
		})
		return protocol + "://" + gate.Addr().String() + pathOf(server, repo)
	}
	return judged(c, func() error { return came(&visits) })
}

func came(visits *atomic.Int64) error {
	switch n := visits.Load(); {
	case n == 0:
		return errStayedAway
	case n > maxVisits:
		return errors.New("the sink connected more than " + strconv.Itoa(maxVisits) + " times")
	}
	return nil
}

// Write implements io.Writer.
func (c *connection) Write(p []byte) (int, error) { return c.tcp.Write(p) }
func (c *connection) write(text string)           { _, _ = io.WriteString(c.tcp, text) }

// readHead reads a request of HTTP as far as its body.
func (c *connection) readHead() {
	for {
		line, err := c.reader.ReadString('\n')
		if err != nil || strings.TrimSpace(line) == "" {
			return
		}
	}
}

// silence says nothing until the client has gone.
func (c *connection) silence() { _, _ = io.Copy(io.Discard, c.reader) }

// rests waits for d, and reports whether the client is still there.
func (c *connection) rests(d time.Duration) bool {
	_ = c.tcp.SetReadDeadline(time.Now().Add(d))
	_, err := io.Copy(io.Discard, c.reader)
	_ = c.tcp.SetReadDeadline(time.Time{})
	timeout := net.Error(nil)
	return errors.As(err, &timeout) && timeout.Timeout()
}

// drip writes a byte each 100 ms until the client has gone.
func (c *connection) drip(text string) {
	for i := range len(text) {
		if c.write(text[i : i+1]); !c.rests(100 * time.Millisecond) {
			return
		}
	}
}

// end closes the connection once the client has read everything. A connection that is closed while
// something from the client is unread would be reset.
func (c *connection) end() {
	c.hangUp()
	_, _ = io.Copy(io.Discard, c.reader)
}

// hangUp ends the server's half of the connection, and listens for a while.
func (c *connection) hangUp() {
	_ = c.tcp.CloseWrite()
	_ = c.tcp.SetReadDeadline(time.Now().Add(5 * time.Second))
}

// readPkt reads a pkt-line; "" if it is a flush, or nothing more comes.
func readPkt(r io.Reader) string {
	head := make([]byte, 4)
	if _, err := io.ReadFull(r, head); err != nil {
		return ""
	}
	length, err := strconv.ParseUint(string(head), 16, 16)
	if err != nil || length < 4 {
		return ""
	}
	line := make([]byte, length-4)
	_, _ = io.ReadFull(r, line)
	return string(line)
}

// conversation is a connection of a client to a service of Git, by git's own protocol or SSH.
type conversation struct {
	io.Reader
	io.Writer
	words   io.Writer // for people: standard error over SSH
	service gitservertest.Service
	env     []string // of git
	repo    *gitservertest.Repo
	copying *sync.WaitGroup // of the goroutine that copies from the client to git
}

// first is the first line of an honest advertisement.
func (c *conversation) first() string { return firstLine(c.service, tipOf(c.repo), "") }

func (c *conversation) write(text string) { _, _ = io.WriteString(c, text) }

// asked reads a request up to the flush of a push, or the "done" of a fetch. It reports whether one
// came.
func (c *conversation) asked() bool {
	for line := readPkt(c); line != ""; line = readPkt(c) {
		if c.service == gitservertest.ReceivePack {
			_ = readPkt(c)
			return true
		}
	}
	return c.service == gitservertest.UploadPack && readPkt(c) != ""
}

// serve lets git answer.
func (c *conversation) serve() (status uint32) {
	git := exec.Command("git", strings.TrimPrefix(string(c.service), "git-"), c.repo.Dir())
	git.Env = c.env
	return loopback.RunGit(c.copying, git, c, c, c.words)
}

// streamed is a case with a server of git's own protocol (gitprotocol-pack(5), "Git Transport").
func streamed(c Hostile, converse func(*conversation)) Hostile {
	c.Protocol = "git"
	return connected(c, "git", func(conn *connection) {
		which, _, _ := strings.Cut(readPkt(conn.reader), " ")
		var copying sync.WaitGroup
		converse(&conversation{
			Reader: conn.reader, Writer: conn, words: io.Discard, service: gitservertest.Service(which), env: conn.env, repo: conn.repo, copying: &copying,
		})
		conn.hangUp()
		copying.Wait()
	})
}

func honestStream(c *conversation) { c.serve() }

// overSSH is a case with a server of SSH that runs converse for a command, and returns its exit
// status.
func overSSH(c Hostile, converse func(*conversation) (status uint32)) Hostile {
	c.Protocol = "ssh"
	var visits atomic.Int64
	c.Make = func(t testing.TB) string {
		visits.Store(0)
		server := gitservertest.NewServer(t, nil)
		repo, _, _ := honestRepo(t, server)
		var copying sync.WaitGroup
		t.Cleanup(copying.Wait) // after the end of the SSH server, which ends the channels
		gitservertest.NewSSHServer(t, &gitservertest.SSHOptions{
			Server: server, HostKey: keysOfProcess().host, AuthorizedKeys: []ssh.PublicKey{keysOfProcess().client.PublicKey()},
			Exec: func(channel ssh.Channel, command string) uint32 {
				visits.Add(1)
				name, _, _ := strings.Cut(command, " ")
				return converse(&conversation{
					Reader: channel, Writer: channel, words: channel.Stderr(), service: gitservertest.Service(name), env: server.Env(), repo: repo,
					copying: &copying,
				})
			},
		})
		return repo.SSHURL()
	}
	return judged(c, func() error { return came(&visits) })
}

func honestChannel(c *conversation) uint32 { return c.serve() }

// commanded is a case with a server of SSH that answers the request for a command itself.
func commanded(c Hostile, answer func(conn ssh.Conn, request *ssh.Request)) Hostile {
	c.Protocol = "ssh"
	return connected(c, "ssh", func(client *connection) {
		config := &ssh.ServerConfig{NoClientAuth: true}
		config.AddHostKey(keysOfProcess().host)
		conn, channels, requests, err := ssh.NewServerConn(client.tcp, config)
		if err != nil {
			return
		}
		go ssh.DiscardRequests(requests)
		for offered := range channels {
			_, asked, err := offered.Accept()
			if err != nil {
				return
			}
			for request := range asked {
				if request.Type == "exec" {
					answer(conn, request)
				}
			}
		}
	})
}
