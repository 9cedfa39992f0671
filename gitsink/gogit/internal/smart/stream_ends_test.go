package smart

import (
	"context"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/go-git/go-git/v5/plumbing/transport"
	"github.com/stretchr/testify/require"
)

// otherSide is what a stream speaks to.
type otherSide struct {
	heard   strings.Builder
	refuses error // to hear more
	writes  int
	shut    int
	cuts    atomic.Int32
	waits   int
	no      bool
}

func (o *otherSide) Write(p []byte) (int, error) {
	o.writes++
	if o.refuses != nil {
		return 0, o.refuses
	}
	return o.heard.Write(p)
}

func (o *otherSide) Close() error {
	o.shut++
	return nil
}

func (o *otherSide) stream(says io.Reader, words string) *pipeConn {
	s := &pipeConn{in: o, out: says, words: &lockedBuffer{}}
	_, _ = s.words.Write([]byte(words))
	s.cut = func() { o.cuts.Add(1) }
	s.wait = func() bool {
		o.waits++
		return o.no
	}
	return s
}

func TestARequestIsSentWholeOrToWhereNobodyHears(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const writes = 1 // of both parts
		for _, refuses := range []error{nil, io.ErrClosedPipe} {
			o := &otherSide{refuses: refuses}
			s := o.stream(strings.NewReader("pack"), "")
			ctx, cancel := context.WithCancel(t.Context())
			answer, err := s.Exchange(ctx, []byte("one "), []byte("two"))
			require.NoError(t, err)
			text, err := io.ReadAll(answer)
			require.NoError(t, err)
			require.Equal(t, "pack", string(text))
			synctest.Wait()
			require.NoError(t, answer.Close())
			cancel()
			synctest.Wait()
			require.Zero(t, o.cuts.Load(), "the answer was there before its context ended")
			require.Equal(t, writes, o.writes)
			require.Equal(t, 1, o.shut)
			require.Equal(t, map[bool]string{true: "one two", false: ""}[refuses == nil], o.heard.String())
			s.Close()
			require.Equal(t, writes, o.writes, "nothing more is said to who was asked")
			require.Equal(t, 1, o.waits)
		}
	})
}

func TestWhoNeverHearsTheRestIsCutOff(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		deaf, in := io.Pipe()
		o := &otherSide{}
		s := o.stream(strings.NewReader("no"), "")
		s.in, s.cut = in, func() {
			o.cuts.Add(1)
			_ = deaf.Close()
		}
		answer, err := s.Exchange(t.Context(), []byte("a request that nobody reads"))
		require.NoError(t, err)
		synctest.Wait()
		require.NoError(t, answer.Close())
		require.EqualValues(t, 1, o.cuts.Load())

		ctx, cancel := context.WithCancel(t.Context())
		_, err = s.Advertise(ctx)
		require.NoError(t, err)
		cancel()
		synctest.Wait()
		require.EqualValues(t, 2, o.cuts.Load(), "an answer ends with its context")
		answer, err = s.Advertise(t.Context())
		require.NoError(t, err)
		require.NoError(t, answer.Close())
		require.EqualValues(t, 2, o.cuts.Load())
	})
}

func TestTheLastWordsExplainAFailure(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		no    bool
		err   error
		words string
		want  string
	}{
		"nothing is known":      {false, io.EOF, "", "EOF"},
		"words alone":           {false, io.EOF, " no such thing\n", "EOF"},
		"blanks are no words":   {false, io.EOF, " \n", "EOF"},
		"a refusal":             {true, io.EOF, "", "the server refused: EOF"},
		"a refusal in words":    {true, io.EOF, "no", "the server refused: EOF"},
		"a refusal that is one": {true, fmt.Errorf("%w: no", ErrRefused), "", "the server refused: no"},
	} {
		o := &otherSide{no: c.no}
		s := o.stream(strings.NewReader("the rest"), c.words)
		err := s.Explain(c.err)
		require.EqualError(t, err, c.want, name)
		require.ErrorIs(t, err, c.err, name)
		require.Equal(t, strings.TrimSpace(c.words), Words(err), name)
		require.Equal(t, "0000", o.heard.String(), "%s: nothing is wanted", name)
		require.Equal(t, 1, o.shut, name)
		require.Zero(t, o.cuts.Load(), name)
		s.Close()
		require.Equal(t, "0000", o.heard.String(), "%s: it is said once", name)
		require.Equal(t, 1, o.waits, name)
		require.EqualValues(t, 1, o.cuts.Load(), name)
	}
}

func TestWhoTalksOnIsCutOff(t *testing.T) {
	t.Parallel()
	for _, size := range []int{maxRemainder - 1, maxRemainder} {
		o := &otherSide{}
		s := o.stream(strings.NewReader(strings.Repeat("x", size)), "")
		require.Equal(t, io.EOF, s.Explain(io.EOF))
		require.EqualValues(t, size/maxRemainder, o.cuts.Load())
	}
	o := &otherSide{}
	o.stream(strings.NewReader(""), "").Close()
	require.Equal(t, 1, o.waits)
	require.EqualValues(t, 1, o.cuts.Load())
}

// listening is an address where each connection is given to serve.
func listening(t *testing.T, serve func(net.Conn)) (host string, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	done := make(chan struct{})
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() {
		cancel() // and with it what a test that failed has left open
		_ = listener.Close()
		<-done
	})
	go func() {
		defer close(done)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
			serve(conn)
			stop()
			_ = conn.Close()
		}
	}()
	host, text, err := net.SplitHostPort(listener.Addr().String())
	require.NoError(t, err)
	port, err = strconv.Atoi(text)
	require.NoError(t, err)
	return host, port
}

// closedPort is one where nobody listens.
func closedPort(t *testing.T) (host string, port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	addr := listener.Addr().(*net.TCPAddr)
	require.NoError(t, listener.Close())
	return addr.IP.String(), addr.Port
}

func TestADaemonIsAskedForItsServiceAndMayJustLeave(t *testing.T) {
	t.Parallel()
	heard := make(chan string, 2)
	host, port := listening(t, func(conn net.Conn) {
		line := make([]byte, 4+len("git-upload-pack /app\x00host=127.0.0.1\x00"))
		_, _ = io.ReadFull(conn, line)
		heard <- string(line)
		_, _ = io.WriteString(conn, "hello")
	})
	ep := &transport.Endpoint{Protocol: "git", Host: host, Port: port, Path: "/app"}
	w, err := DialDaemon(t.Context(), ep, Credentials{}, UploadPack)
	require.NoError(t, err)
	require.Equal(t, pkt("git-upload-pack /app\x00host=127.0.0.1\x00"), <-heard)
	answer, err := w.Advertise(t.Context())
	require.NoError(t, err)
	text, err := io.ReadAll(answer)
	require.NoError(t, err)
	require.Equal(t, "hello", string(text))
	require.NoError(t, answer.Close())
	require.Equal(t, io.EOF, w.Explain(io.EOF), "that it has gone is no refusal")
	w.Close()

	ep.Path = strings.Repeat("x", maxPacket)
	w, err = DialDaemon(t.Context(), ep, Credentials{}, UploadPack)
	require.Error(t, err, "it is more than a packet holds")
	require.Nil(t, w)
	<-heard
	ep.Host, ep.Port = closedPort(t)
	w, err = DialDaemon(t.Context(), ep, Credentials{}, UploadPack)
	require.Error(t, err)
	require.Nil(t, w)
}
