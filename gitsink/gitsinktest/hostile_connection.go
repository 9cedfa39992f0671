package gitsinktest

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// deadline is what an Apply returns that nothing but its context has ended.
var deadline = context.DeadlineExceeded

// connection is one to a hostile server below HTTP.
type connection struct {
	tcp    *net.TCPConn
	repo   *Repo // what an honest server would serve
	reader *bufio.Reader
}

// connected is a case with a server that takes the connections of a protocol into its own hands.
func connected(c Hostile, protocol string, converse func(*connection)) Hostile {
	var visits atomic.Int64
	c.Make = func(t testing.TB) string {
		visits.Store(0)
		repo, _, _ := honestRepo(NewServer(t, nil))
		address := listen(t, func(tcp *net.TCPConn) {
			visits.Add(1)
			conn := &connection{tcp: tcp, repo: repo, reader: bufio.NewReader(tcp)}
			converse(conn)
			conn.end()
		})
		return protocol + "://" + address + "/" + repo.name
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

// listen serves connections until the end of the test, and ends them then.
func listen(t testing.TB, serve func(*net.TCPConn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatalf("gitsinktest: %v", err)
	}
	gate := newGate(listener)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := gate.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer func() { _ = conn.Close() }()
				if tcp, ok := conn.(*gatedConn).Conn.(*net.TCPConn); ok {
					serve(tcp)
				}
			})
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		gate.shut()
		running.Wait()
	})
	return listener.Addr().String()
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

// rests waits, and reports whether the client is still there.
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

// end lets the client read what was said: a connection that is closed with something unread is
// reset.
func (c *connection) end() {
	c.hangUp()
	_, _ = io.Copy(io.Discard, c.reader)
}

// hangUp says no more, and listens for a while.
func (c *connection) hangUp() {
	_ = c.tcp.CloseWrite()
	_ = c.tcp.SetReadDeadline(time.Now().Add(5 * time.Second))
}

// readPkt reads a packet; "" if it is a flush, or nothing more comes.
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

// conversation is what a client and a service say to each other on a connection of git's own
// protocol, or SSH.
type conversation struct {
	io.Reader
	io.Writer
	words   io.Writer // beside the protocol
	service Service
	repo    *Repo
	copying *sync.WaitGroup // of what the client says to git
}

// first is the first line of an honest advertisement.
func (c *conversation) first() string { return firstLine(c.service, c.repo.tip(), "") }

func (c *conversation) write(text string) { _, _ = io.WriteString(c, text) }

// asked reads a request up to the flush of a push, or the "done" of a fetch; false if there is
// none.
func (c *conversation) asked() bool {
	for line := readPkt(c); line != ""; line = readPkt(c) {
		if c.service == ReceivePack {
			_ = readPkt(c)
			return true
		}
	}
	return c.service == UploadPack && readPkt(c) != ""
}

// serve lets git answer.
func (c *conversation) serve() (status uint32) {
	return runGit(c.copying, c.repo, c.service, "", c, c, c.words)
}

// streamed is a case with a server of git's own protocol (gitprotocol-pack(5), "Git Transport").
func streamed(c Hostile, converse func(*conversation)) Hostile {
	c.Protocol = "git"
	return connected(c, "git", func(conn *connection) {
		which, _, _ := strings.Cut(readPkt(conn.reader), " ")
		var copying sync.WaitGroup
		converse(&conversation{
			Reader: conn.reader, Writer: conn, words: io.Discard, service: Service(which), repo: conn.repo, copying: &copying,
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
		s := &SSHServer{server: NewServer(t, nil), hostKey: keysOfProcess().host, allowed: [][]byte{keysOfProcess().client.PublicKey().Marshal()}}
		repo, _, _ := honestRepo(s.server)
		s.run = func(channel ssh.Channel, line, _ string) uint32 {
			visits.Add(1)
			name, _, _ := strings.Cut(line, " ")
			return converse(&conversation{
				Reader: channel, Writer: channel, words: channel.Stderr(), service: Service(name), repo: repo, copying: &s.running,
			})
		}
		s.server.setSSH(s)
		s.listen(t)
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
