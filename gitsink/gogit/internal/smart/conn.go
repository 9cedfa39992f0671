package smart

import (
	"context"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// Service is one of git's two.
type Service string

// The services of git: UploadPack serves who fetches, ReceivePack who pushes.
const (
	UploadPack  Service = transport.UploadPackServiceName
	ReceivePack Service = transport.ReceivePackServiceName
)

// Conn carries what client and service say to each other. Every call ends soon after its ctx, and
// so does reading what it returned; it leaves no goroutine behind. It is not safe for concurrent
// use.
type Conn interface {
	// Advertise returns what the service says of itself.
	Advertise(ctx context.Context) (io.ReadCloser, error)
	// Exchange sends a request and returns the answer. The parts must not be changed until that is
	// closed.
	Exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error)
	// Explain adds what else the server has said to a failure.
	Explain(err error) error
	Close()
}

// CloseTimeout is for a server to take its leave.
const CloseTimeout = 5 * time.Second

// maxRemainder bounds what is read of an answer so that its connection can be used again, in bytes.
const maxRemainder = 64 << 10
