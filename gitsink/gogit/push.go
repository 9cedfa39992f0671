package gogit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/go-git/go-git/v5/plumbing"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp"
	"github.com/go-git/go-git/v5/plumbing/protocol/packp/capability"

	"github.com/kubescribe/kubescribe/gitsink"
)

// maxWords bounds what is kept of what a server says.
const maxWords = 16 << 10

var errMoved = errors.New("the push was refused, and the branch has moved")

// verdict is a server's answer to a push. Without ok and refusal, the outcome is unknown.
type verdict struct {
	ok      bool
	refusal string // the server said no, and this
	unpack  bool   // because of the objects
	words   string // of hooks and the like
	err     error  // why there is no answer
}

// push sends the work and finds out what has become of it. again: the branch is not what the plan was run on.
func (c *call) push(ctx context.Context, receiver *session, w *work) (again bool, err error) {
	v := c.send(ctx, receiver, w)
	if v.ok {
		c.landed(w)
		return false, nil
	}
	if v.err != nil && surelyRefused(v.err) {
		return false, c.fail(ctx, opPush, v.err, serverWords(v.err))
	}
	refs, lookErr := c.look(ctx)
	tip := refs[c.ref.String()]
	switch {
	case lookErr == nil && tip == w.tip():
		c.landed(w)
		return false, nil
	case v.refusal != "" && (lookErr != nil || tip == w.old):
		return false, c.refused(ctx, v, refs, lookErr)
	case v.refusal != "" && ctx.Err() != nil:
		return false, c.fail(ctx, opPush, errMoved, v.words)
	case v.refusal != "":
		return true, nil
	}
	c.doubt(w)
	cause := fmt.Errorf("%w: %w", gitsink.ErrUnknown, v.err)
	switch {
	case lookErr != nil:
		cause = fmt.Errorf("%w; looking at the branch: %w", cause, lookErr)
		return false, c.fail(ctx, opPush, cause, v.words, gitsink.ErrUnknown, gitsink.ErrUnavailable)
	case ctx.Err() != nil:
		return false, c.fail(ctx, opPush, cause, v.words, gitsink.ErrUnknown)
	case tip != w.old:
		return true, nil
	}
	if c.unsettled++; c.unsettled > 1 {
		return false, c.fail(ctx, opPush, cause, v.words, gitsink.ErrUnknown, gitsink.ErrUnavailable)
	}
	return true, nil
}

// send pushes w with the hash that the plan was run on as the old value, so that the server refuses it if the branch is at
// anything else: nobody's commit can be overwritten.
func (c *call) send(ctx context.Context, receiver *session, w *work) verdict {
	pack, err := encodePack(w.objects)
	if err != nil {
		return verdict{err: err}
	}
	type answer struct {
		report *packp.ReportStatus
		words  string
	}
	got, err := ask(ctx, receiver, c.sink.opts.TransferTimeout, func(ctx context.Context) (answer, error) {
		words := &wordBuffer{}
		req := packp.NewReferenceUpdateRequestFromCapabilities(receiver.refs.Capabilities)
		if receiver.refs.Capabilities.Supports(capability.Sideband64k) {
			if err := req.Capabilities.Set(capability.Sideband64k); err != nil {
				return answer{}, err
			}
			req.Progress = words
		}
		req.Commands = []*packp.Command{{Name: c.ref, Old: w.old, New: w.tip()}}
		req.Packfile = io.NopCloser(bytes.NewReader(pack))
		report, err := receiver.receive.ReceivePack(ctx, req)
		return answer{report, words.String()}, err
	})
	return c.judge(got.report, err, got.words)
}

// judge reads the report, which counts more than the error beside it: on a refusal there are both.
func (c *call) judge(report *packp.ReportStatus, err error, words string) verdict {
	v := verdict{words: words, err: err}
	if v.err == nil {
		v.err = errors.New("the server sent no report")
	}
	if report == nil {
		return v
	}
	for _, status := range report.CommandStatuses {
		if status.ReferenceName != c.ref {
			continue
		}
		if status.Error() != nil {
			v.refusal = status.Status
		} else if report.UnpackStatus == statusOK {
			v.ok = true
		}
	}
	if report.UnpackStatus != statusOK {
		v.unpack = true
		v.refusal = strings.Trim(v.refusal+": "+report.UnpackStatus, ": ")
	}
	return v
}

// statusOK is what a report says of what went well (gitprotocol-pack(5)).
const statusOK = "ok"

// look reads what the server advertises now. Where ctx has ended it takes a short time of its own: whether a push that
// was cut off has landed is worth knowing.
func (c *call) look(ctx context.Context) (map[string]plumbing.Hash, error) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), min(c.sink.opts.StepTimeout, lookTimeout))
		defer cancel()
	}
	s, err := c.open(ctx, receivePack)
	if err != nil {
		return nil, err
	}
	defer s.close()
	return s.refs.References, nil
}

// landed takes over what the server has now.
func (c *call) landed(w *work) {
	s := c.lane.store
	for _, o := range w.objects {
		switch o.kind {
		case plumbing.TreeObject:
			s.add(o.hash, string(o.data))
		case plumbing.BlobObject:
			s.blobs.put(o.hash, bytes.Clone(o.data))
		}
	}
	s.advance(w.tip(), w.newRoot)
	c.result.Commits = append(c.result.Commits, w.hashes()...)
	c.finish(w.tip(), w.newFolder)
}

// doubt remembers a push that may land yet, so that it is not taken for somebody else's.
func (c *call) doubt(w *work) {
	c.pending = append(c.pending, w)
	if last, ok := c.lane.seen[c.dst.BaseFolder]; ok {
		c.lane.seen[c.dst.BaseFolder] = sighting{is: last.is, maybe: w.newFolder}
	}
}

// refused says why the server does not want the push although the branch has not moved. If that is not sure (lookErr), and
// the server's words do not tell either, the next try will.
func (c *call) refused(ctx context.Context, v verdict, refs map[string]plumbing.Hash, lookErr error) error {
	if v.unpack {
		c.lane.store = newStore() // in case it is the server that misses something
	}
	class := classOfRefusal(v.refusal + "\n" + v.words)
	if lookErr != nil && class == gitsink.ErrRejected { //nolint:errorlint // a sentinel of our own table
		class = gitsink.ErrUnavailable
	}
	cause := errors.New(v.refusal)
	for name := range refs {
		if !v.unpack && (strings.HasPrefix(name, c.ref.String()+"/") || strings.HasPrefix(c.ref.String(), name+"/")) {
			cause = fmt.Errorf("%w: the branch %s exists, and Git cannot have both: choose another name",
				cause, strings.TrimPrefix(name, "refs/heads/"))
		}
	}
	return c.fail(ctx, opPush, fmt.Errorf("%w: %w", class, cause), v.words, class)
}

// wordBuffer keeps the beginning of what is written to it.
type wordBuffer struct{ bytes.Buffer }

func (b *wordBuffer) Write(p []byte) (int, error) {
	b.Buffer.Write(p[:min(len(p), max(maxWords-b.Len(), 0))])
	return len(p), nil
}
