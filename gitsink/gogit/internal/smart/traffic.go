package smart

import (
	"context"
	"io"
	"sync/atomic"
)

// Traffic counts what connections carry: the bytes of Git's protocol, without what HTTP, SSH or TLS
// put around them, and the requests of each service. An advertisement is one, and so is what is
// asked after it. It may be used concurrently.
type Traffic struct {
	Sent, Received          atomic.Int64
	UploadPack, ReceivePack atomic.Int64
}

// Counted returns a connection to a service whose traffic is counted; nil counts nothing.
func (t *Traffic) Counted(conn Conn, which Service) Conn {
	if t == nil {
		return conn
	}
	requests := &t.UploadPack
	if which == ReceivePack {
		requests = &t.ReceivePack
	}
	return &countedConn{conn, t, requests}
}

type countedConn struct {
	Conn
	traffic  *Traffic
	requests *atomic.Int64
}

// Advertise implements Conn.
func (c *countedConn) Advertise(ctx context.Context) (io.ReadCloser, error) {
	c.requests.Add(1)
	return c.counted(c.Conn.Advertise(ctx))
}

// Exchange implements Conn.
func (c *countedConn) Exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error) {
	c.requests.Add(1)
	for _, part := range parts {
		c.traffic.Sent.Add(int64(len(part)))
	}
	return c.counted(c.Conn.Exchange(ctx, parts...))
}

func (c *countedConn) counted(answer io.ReadCloser, err error) (io.ReadCloser, error) {
	if err != nil {
		return nil, err
	}
	return countedAnswer{answer, &c.traffic.Received}, nil
}

type countedAnswer struct {
	io.ReadCloser
	received *atomic.Int64
}

// Read implements io.Reader.
func (a countedAnswer) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.received.Add(int64(n))
	return n, err
}

// overHTTP returns the connection if it speaks HTTP.
func overHTTP(conn Conn) (*httpConn, bool) {
	if counted, ok := conn.(*countedConn); ok {
		conn = counted.Conn
	}
	w, ok := conn.(*httpConn)
	return w, ok
}
