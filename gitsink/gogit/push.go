package gogit

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/go-git/go-git/v5/plumbing/protocol/packp"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
	"github.com/kubescribe/kubescribe/internal/spans"
)

var errMoved = errors.New("the push was refused, and the branch has moved")

// verdict is a server's answer to a push. Without ok and refusal, the outcome is unknown.
type verdict struct {
	ok      bool
	refusal string        // the server said no, and this
	unpack  bool          // because of the objects
	signed  bool          // the commits were
	words   string        // of hooks and the like
	err     error         // why there is no answer
	took    time.Duration // from the request to the answer
	span    spans.Span    // pushed and missed end it
}

// push sends the stack and finds out what has become of it. again: the branch is not what the
// plans were run on, or what was guilty has gone.
func (g *pushGroup) push(receiver *session, ch *pushStack) (again bool) {
	if g.pushes++; g.pushes > 1 && !g.closed {
		g.remote.sink.limits.charge(g.account(), time.Now())
	}
	v := g.send(receiver, ch)
	if v.ok {
		g.pushed(ch, v)
		return false
	}
	if v.err != nil && surelyRefused(v.err) {
		g.missed(v, classify(v.err)...)
		g.failAll(opPush, v.err, smart.Words(v.err))
		return false
	}
	seen, lookErr := g.look(g.callers.ctx)
	var refs map[string]object.ID
	if seen != nil {
		refs = seen.Refs.Refs
		g.keep(seen) // for the next attempt
	}
	tip := refs[g.remote.ref.String()]
	switch {
	case lookErr == nil && tip == ch.tip:
		g.pushed(ch, v)
		return false
	case v.refusal != "" && (lookErr != nil || tip == ch.old):
		return g.refused(v, refs, lookErr)
	case v.refusal != "" && g.callers.ctx.Err() != nil:
		g.missed(v, gitsink.ErrConflict)
		g.failAll(opPush, errMoved, v.words)
		return false
	case v.refusal != "":
		g.moved(v, gitsink.ErrConflict)
		return true
	}
	return g.unknown(ch, v, tip, lookErr)
}

// unknown deals with a push that was not seen on the branch, which was at tip, or could not be
// read because of lookErr.
func (g *pushGroup) unknown(ch *pushStack, v verdict, tip object.ID, lookErr error) (again bool) {
	g.rememberUnknown(ch)
	cause := fmt.Errorf("%w: %w", gitsink.ErrUnknown, v.err)
	switch {
	case lookErr != nil:
		g.missed(v, unknownFor(lookErr)...)
		cause = fmt.Errorf("%w; looking at the branch: %w", cause, lookErr)
		g.failAll(opPush, cause, cmp.Or(v.words, smart.Words(v.err), smart.Words(lookErr)), unknownFor(lookErr)...)
		return false
	case g.callers.ctx.Err() != nil:
		g.missed(v, gitsink.ErrUnknown)
		g.failAll(opPush, cause, cmp.Or(v.words, smart.Words(v.err)), gitsink.ErrUnknown)
		return false
	case tip != ch.old:
		g.moved(v, gitsink.ErrUnknown)
		return true
	}
	g.missed(v, unknownFor(v.err)...)
	if g.unsettled++; g.unsettled > 1 {
		g.failAll(opPush, cause, cmp.Or(v.words, smart.Words(v.err)), unknownFor(v.err)...)
		return false
	}
	return true
}

// unknownFor are the classes of a push that may have landed, for a reason.
func unknownFor(err error) []error { return append([]error{gitsink.ErrUnknown}, classify(err)...) }

// send pushes the stack with the hash that the plans were run on as the old value, so that the
// server refuses it if the branch is at anything else: nobody's commit can be overwritten.
func (g *pushGroup) send(receiver *session, ch *pushStack) verdict {
	has := ch.store.Lookup
	if receiver.Refs.Capabilities.Supports(smart.NoThin) {
		has = nil
	}
	pack := object.EncodePack(ch.format, ch.objects, has)
	type answer struct {
		report *packp.ReportStatus
		words  string
	}
	began := time.Now()
	traced, span := g.tracePush(ch)
	got, err := bounded(traced, g.remote.sink.opts.TransferTimeout, func(ctx context.Context) (answer, error) {
		report, words, err := receiver.Push(ctx, smart.Update{Ref: g.remote.ref, Old: ch.old, New: ch.tip}, pack...)
		return answer{report, words}, err
	})
	v := g.remote.judge(got.report, err, got.words)
	v.signed, v.took, v.span = ch.signed(), time.Since(began), span
	return v
}

// judge reads the report. Without one, err says why.
func (r *remote) judge(report *packp.ReportStatus, err error, words string) verdict {
	v := verdict{words: words, err: err}
	if v.err == nil {
		v.err = smart.Malformed("the server's report says nothing of the branch")
	}
	if report == nil {
		return v
	}
	for _, status := range report.CommandStatuses {
		if status.ReferenceName != r.ref {
			continue
		}
		if status.Error() != nil {
			v.refusal = status.Status
		} else {
			v.ok = true
		}
	}
	if report.UnpackStatus != smart.StatusOK {
		v.unpack = true
		v.refusal = strings.Trim(v.refusal+": "+report.UnpackStatus, ": ")
	}
	v.ok = v.ok && v.refusal == "" // whoever says both is not believed: the branch is looked at
	return v
}

// look reads what the server advertises now. Where ctx has ended it takes a short time of its
// own: whether a push that was cut off has landed is worth knowing.
func (g *pushGroup) look(ctx context.Context) (*session, error) {
	if ctx.Err() != nil {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(context.WithoutCancel(ctx), min(g.remote.sink.opts.StepTimeout, lookTimeout))
		defer cancel()
		defer context.AfterFunc(g.remote.sink.closing, cancel)()
	}
	strict := g.remote.auth
	defer func() { g.remote.auth = strict }()
	g.remote.auth = g.anybody
	defer func() { g.remote.seat.leave() }()
	return g.remote.open(ctx, smart.ReceivePack)
}

// pushed ends all calls: the server has what they wanted.
func (g *pushGroup) pushed(ch *pushStack, v verdict) {
	g.remote.sink.meters.pushed(g.callers.ctx, v.took, ch)
	v.span.End(outcomeOK, false)
	ch.moveStore()
	g.succeed(ch, ch.tip)
}

// missed takes note of a push that is not on the branch, as far as anybody knows.
func (g *pushGroup) missed(v verdict, classes ...error) {
	g.remote.sink.meters.pushed(g.callers.ctx, v.took, nil, classes...)
	v.span.End(gitsink.Reason(errors.Join(classes...)), true)
}

// moved takes note of a push that is made anew, since the branch is elsewhere.
func (g *pushGroup) moved(v verdict, class error) {
	g.missed(v, class)
	g.remote.sink.meters.moved()
}

// refused deals with a push that the server does not want although the branch has not moved. If
// that is not sure (lookErr), and the server's words do not tell either, the next try will. A
// refusal that may concern one plan only is tracked down to it: the others are pushed without it.
func (g *pushGroup) refused(v verdict, refs map[string]object.ID, lookErr error) (again bool) {
	if v.unpack {
		g.remote.lane.store = object.NewStore() // in case it is the server that misses something
	}
	class := classOfRefusal(v.refusal + "\n" + v.words)
	if lookErr != nil && class == gitsink.ErrRejected { //nolint:errorlint // of our own table
		class = gitsink.ErrUnavailable
	}
	cause := errors.New(v.refusal)
	if hint := signatureHint(v.refusal+"\n"+v.words, v.signed); hint != "" {
		cause = fmt.Errorf("%w: %s", cause, hint)
	}
	for name := range refs {
		if !v.unpack && (strings.HasPrefix(name, g.remote.ref.String()+"/") || strings.HasPrefix(g.remote.ref.String(), name+"/")) {
			cause = fmt.Errorf("%w: the branch %s exists, and Git cannot have both: choose another name",
				cause, strings.TrimPrefix(name, "refs/heads/"))
			class = gitsink.ErrRejected
		}
	}
	g.missed(v, class)
	if len(g.calls) > 1 && lookErr == nil && concernsContent(class) {
		g.divide()
		return false
	}
	g.failAll(opPush, fmt.Errorf("%w: %w", class, cause), v.words, class)
	return false
}

func concernsContent(class error) bool {
	return errors.Is(class, gitsink.ErrRejected) || errors.Is(class, gitsink.ErrTooLarge)
}

// divide pushes one half of the calls after the other. They are planned again, so it does not
// matter that one half may have built upon the other.
func (g *pushGroup) divide() {
	g.keep(nil) // the branch will not be there when the first half is done
	calls := g.calls
	g.calls = nil
	half := len(calls) / 2
	for _, part := range [][]*call{calls[:half:half], calls[half:]} {
		r := *g.remote
		sub := &pushGroup{remote: &r, callers: g.callers, key: g.key, limit: g.limit, calls: part, closed: true}
		r.auth = sub.credentials
		sub.run()
		sub.keep(nil)
	}
}
