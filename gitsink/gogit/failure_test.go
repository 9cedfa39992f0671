package gogit

import (
	"compress/flate"
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/textproto"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/kubescribe/kubescribe/gitsink"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/object"
	"github.com/kubescribe/kubescribe/gitsink/gogit/internal/smart"
)

func TestAFailureHasTheClassOfTheFirstThatKnowsIt(t *testing.T) {
	t.Parallel()
	said := func(words string) error {
		return &smart.RemoteError{Err: fmt.Errorf("%w: %w", smart.ErrRefused, io.EOF), Words: words}
	}
	handshake := func(why string) error { return errors.New("ssh: handshake failed: ssh: " + why) }
	for name, c := range map[string]struct {
		err  error
		want []error
	}{
		"one of our own":               {fmt.Errorf("x: %w", gitsink.ErrPath), []error{gitsink.ErrPath}},
		"two of our own, in order":     {fmt.Errorf("%w, %w", gitsink.ErrProtocol, gitsink.ErrAuth), []error{gitsink.ErrAuth, gitsink.ErrProtocol}},
		"our own beside known words":   {fmt.Errorf("%w: permission denied", gitsink.ErrPath), []error{gitsink.ErrPath}},
		"the error of Options.Auth":    {fmt.Errorf("x: %w", &authError{gitsink.ErrPath}), []error{gitsink.ErrPath}},
		"an object is missing":         {fmt.Errorf("x: %w", object.ErrIncomplete), []error{object.ErrIncomplete, gitsink.ErrProtocol}},
		"an object is damaged":         {fmt.Errorf("x: %w", object.ErrDamaged), []error{gitsink.ErrProtocol}},
		"words of a library":           {errors.New("ssh: unable to authenticate"), []error{gitsink.ErrAuth}},
		"those of a server's are none": {said("unable to authenticate"), []error{gitsink.ErrRefused}},
		"words of a server":            {said("Repository not found."), []error{gitsink.ErrNotFound}},
		"a library says a server's":    {errors.New("x: Repository not found."), []error{gitsink.ErrNotFound}},
		"a refusal of unknown words":   {said("full moon"), []error{gitsink.ErrRefused}},
		"a refusal without words":      {smart.ErrRefused, []error{gitsink.ErrRefused}},
		"a status":                     {&smart.StatusError{Status: http.StatusNotFound}, []error{gitsink.ErrNotFound}},
		"a status with a server's":     {&smart.RemoteError{Err: &smart.StatusError{Status: http.StatusBadRequest}, Words: "No such repository"}, []error{gitsink.ErrNotFound}},
		"a handshake that is no SSH":   {handshake("invalid packet length"), []error{gitsink.ErrProtocol}},
		"a disconnect is an answer":    {handshake("disconnect, reason 12: busy"), []error{gitsink.ErrUnavailable}},
		"no header of gzip":            {fmt.Errorf("x: %w", gzip.ErrHeader), []error{gitsink.ErrProtocol}},
		"a wrong sum of gzip":          {fmt.Errorf("x: %w", gzip.ErrChecksum), []error{gitsink.ErrProtocol}},
		"damaged gzip":                 {fmt.Errorf("x: %w", flate.CorruptInputError(7)), []error{gitsink.ErrProtocol}},
		"a damaged header":             {fmt.Errorf("x: %w", textproto.ProtocolError("odd line")), []error{gitsink.ErrProtocol}},
		"an alert of TLS":              {fmt.Errorf("x: %w", tls.AlertError(40)), []error{gitsink.ErrProtocol}},
		"a line that is too long":      {fmt.Errorf("x: %w", http.ErrLineTooLong), []error{gitsink.ErrProtocol}},
		"nothing is known":             {errors.New("whatever"), []error{gitsink.ErrUnavailable}},
	} {
		require.Equal(t, c.want, classify(c.err), name)
	}
}

func TestAStatusMeansWhatItsWordsDoNotExplainBetter(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		after  time.Duration
		words  string
		want   error
	}{
		"401":                              {http.StatusUnauthorized, 0, "", gitsink.ErrAuth},
		"403 of unknown words":             {http.StatusForbidden, 0, "full moon", gitsink.ErrAuth},
		"403 of an archive":                {http.StatusForbidden, 0, "it is archived", gitsink.ErrProtected},
		"403 with a time":                  {http.StatusForbidden, 1, "it is archived", gitsink.ErrUnavailable},
		"404":                              {http.StatusNotFound, 0, "", gitsink.ErrNotFound},
		"404 beside another word":          {http.StatusNotFound, 0, "it is archived", gitsink.ErrNotFound},
		"404 of a limit":                   {http.StatusNotFound, 0, "rate limit", gitsink.ErrUnavailable},
		"408":                              {http.StatusRequestTimeout, 0, "it is archived", gitsink.ErrUnavailable},
		"425":                              {http.StatusTooEarly, 0, "", gitsink.ErrUnavailable},
		"418":                              {http.StatusTeapot, 0, "", gitsink.ErrRefused},
		"418 of known words":               {http.StatusTeapot, 0, "permission denied", gitsink.ErrAuth},
		"499":                              {499, 0, "", gitsink.ErrRefused},
		"500":                              {http.StatusInternalServerError, 0, "permission denied", gitsink.ErrUnavailable},
		"204, which is no answer of Git's": {http.StatusNoContent, 0, "", gitsink.ErrProtocol},
		"300, which has no class":          {http.StatusMultipleChoices, 0, "", gitsink.ErrRefused},
		"302":                              {http.StatusFound, 0, "", gitsink.ErrNotFound},
	} {
		require.Equal(t, c.want, classOfStatus(&smart.StatusError{Status: c.status, RetryAfter: c.after}, c.words), name)
	}
	require.True(t, surelyRefused(&smart.StatusError{Status: http.StatusUnauthorized}))
	require.False(t, surelyRefused(&smart.StatusError{Status: http.StatusInternalServerError}))
	require.False(t, surelyRefused(io.EOF))
}

func TestHowLongAServerWantsToRestIsFoundInTheError(t *testing.T) {
	t.Parallel()
	rest := &restError{90 * time.Second}
	require.Equal(t, 90*time.Second, restOf(fmt.Errorf("x: %w", rest)))
	require.EqualError(t, rest, "the server wants no request for another 1m30s")
	require.Equal(t, time.Minute, restOf(&smart.RemoteError{Err: &smart.StatusError{Status: http.StatusForbidden, RetryAfter: time.Minute}, Words: "no"}))
	require.Zero(t, restOf(io.EOF))
	require.Equal(t, "no", smart.Words(fmt.Errorf("x: %w", &smart.RemoteError{Err: io.EOF, Words: "no"})))
	require.Empty(t, smart.Words(io.EOF))
	require.ErrorIs(t, &smart.RemoteError{Err: io.EOF, Words: "no"}, io.EOF)
	require.Nil(t, smart.StatusOf(io.EOF))
	require.Equal(t, 404, smart.StatusOf(fmt.Errorf("x: %w", &smart.StatusError{Status: 404})).Status)
}

func TestAnErrorOfAnOperationSaysAllThatIsKnownOfIt(t *testing.T) {
	t.Parallel()
	running, ended := t.Context(), func() context.Context {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		return ctx
	}()
	class := errors.New("a class of the caller's")
	for name, c := range map[string]struct {
		ctx     context.Context
		err     error
		classes []error
		want    []error
		text    string
	}{
		"a class that is found":         {running, &smart.StatusError{Status: 404}, nil, []error{gitsink.ErrNotFound}, gitsink.ErrNotFound.Error() + ": HTTP status 404 Not Found"},
		"a class that is given":         {running, &smart.StatusError{Status: 404}, []error{gitsink.ErrAuth}, []error{gitsink.ErrAuth}, gitsink.ErrAuth.Error() + ": HTTP status 404 Not Found"},
		"a class that says itself":      {running, fmt.Errorf("%w: no key", gitsink.ErrAuth), nil, []error{gitsink.ErrAuth}, gitsink.ErrAuth.Error() + ": no key"},
		"several, the first first":      {running, io.EOF, []error{gitsink.ErrAuth, gitsink.ErrProtocol}, []error{gitsink.ErrAuth, gitsink.ErrProtocol}, gitsink.ErrAuth.Error() + ": " + gitsink.ErrProtocol.Error() + ": EOF"},
		"what is none of our own":       {running, errors.New(" gone\n"), []error{class}, []error{class}, "gone"},
		"an end of the caller's":        {ended, io.EOF, nil, []error{context.Canceled}, "context canceled: EOF"},
		"an end that says itself":       {ended, context.Canceled, nil, []error{context.Canceled}, "context canceled"},
		"an end, and what was unknown":  {ended, io.EOF, []error{gitsink.ErrAuth, gitsink.ErrUnknown}, []error{context.Canceled, gitsink.ErrUnknown}, "context canceled: " + gitsink.ErrUnknown.Error() + ": EOF"},
		"an end, and what it was about": {ended, io.EOF, []error{gitsink.ErrAuth}, []error{context.Canceled}, "context canceled: EOF"},
	} {
		r := &remote{dst: target("https://git.example/app", "main", ""), secrets: []string{"s3cret"}}
		var e *gitsink.Error
		require.ErrorAs(t, r.fail(c.ctx, opPlan, c.err, "no s3cret\nhere", c.classes...), &e, name)
		require.Equal(t, opPlan, e.Op, name)
		require.Equal(t, r.dst, e.Destination, name)
		require.Equal(t, "no ***; here", e.Server, name)
		require.EqualError(t, e.Err, c.text, name)
		var f *failure
		require.ErrorAs(t, e, &f, name)
		require.Equal(t, c.want, f.matches, name)
		require.Zero(t, e.RetryAfter, name)
	}
	var e *gitsink.Error
	require.ErrorAs(t, (&remote{}).fail(running, opPush, &restError{time.Minute}, "", gitsink.ErrUnavailable), &e)
	require.Equal(t, time.Minute, e.RetryAfter)
	require.Empty(t, e.Server)
}

func TestWordsOfARefusalAreFoundInAnySpelling(t *testing.T) {
	t.Parallel()
	require.Equal(t, gitsink.ErrProtected, classOfRefusal("It IS Archived"))
	require.Equal(t, gitsink.ErrRejected, classOfRefusal("full moon"))
	require.NoError(t, find(serverPhrases, "full moon"))
	for _, hint := range signatureHints {
		require.Contains(t, signatureHint("remote: "+hint, false), "set Options.Signer")
		require.Contains(t, signatureHint("remote: "+hint, true), "the key of Options.Signer")
	}
	require.Contains(t, signatureHint("Commit MUST be signed", false), "set Options.Signer")
	require.Empty(t, signatureHint("full moon", false))
	require.Empty(t, signatureHint("full moon", true))
}
