package smart

import (
	"context"
	"io"
	"time"

	"github.com/go-git/go-git/v5/plumbing/transport"
)

// service is one of git's two.
type Service string

const (
	UploadPack  Service = transport.UploadPackServiceName
	ReceivePack Service = transport.ReceivePackServiceName
)

// wire carries what client and service say to each other. Every call ends soon after its ctx, and so does reading what it
// returned; it leaves no goroutine behind. It is not safe for concurrent use.
type Conn interface {
	// advertise returns what the service says of itself.
	Advertise(ctx context.Context) (io.ReadCloser, error)
	// exchange sends a request and returns the answer. The parts must not be changed until that is closed.
	Exchange(ctx context.Context, parts ...[]byte) (io.ReadCloser, error)
	// explain adds what else the server has said to a failure.
	Explain(err error) error
	Close()
}

const (
	CloseTimeout = 5 * time.Second // for a server to take its leave
	maxRemainder = 64 << 10        // of an answer, read so that its connection can be used again
)
